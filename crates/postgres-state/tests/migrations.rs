//! Who migrates when several start at once, and what becomes of a turn whose holder died, was too slow or failed.

use std::fmt::Write;

use ttm_postgres_state::{OpenError, PostgresTokenStore};
use ttm_sqlx_pool::Schema;
use ttm_sqlx_pool::postgres::testing::Database;
use ttm_sqlx_pool::postgres::{Pool, Server, query_scalar};

/// Fails where it is applied twice.
const ONCE: Schema = Schema {
    history: "_once_migrations",
    migrations: &[("once", "CREATE TABLE once (one int)")],
    tables: &["once"],
};

async fn ask(pool: &Pool, question: &'static str) -> i64 {
    let mut tx = pool.begin_read().await.expect("the server answers");
    let answer = query_scalar(question).fetch_one(&mut *tx).await.expect("the test's own question is valid");
    tx.commit().await.expect("nothing was changed");
    answer
}

fn server(database: &Database) -> Server {
    Server::parse(database.url()).expect("a valid URL")
}

/// How many transactions wrote the history of the store's migrations, and how many rows it has.
const WRITERS: &str = "SELECT count(DISTINCT xmin::text) FROM _ttm_state_migrations";
const VERSIONS: &str = "SELECT count(*) FROM _ttm_state_migrations";
const TURNS: &str = "SELECT turn FROM _ttm_migration_lease";
/// Those that nobody else can take now.
const LASTING: &str = "SELECT count(*) FROM _ttm_migration_lease WHERE expires_at > clock_timestamp()";

async fn four_open(database: &Database) {
    let open = || Box::pin(PostgresTokenStore::open(database.url()));
    let opened = tokio::join!(open(), open(), open(), open());
    for store in [opened.0, opened.1, opened.2, opened.3] {
        store.expect("each of them opens");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_four_that_start_at_once_one_migrates_and_all_come_up() {
    let database = Database::new("migrations_four").await;
    let pool = server(&database).pool(1);
    four_open(&database).await;
    assert_eq!((ask(&pool, WRITERS).await, ask(&pool, VERSIONS).await), (1, 8), "one made all of it");
    assert_eq!(ask(&pool, LASTING).await, 0, "its turn is over");

    // A version behind.
    database
        .execute(
            "DROP TABLE $schema.alert, $schema.alert_message, $schema.alert_dead_letter, \
             $schema.alert_receipt, $schema.alert_quiet; \
             DELETE FROM $schema._ttm_state_migrations WHERE version = 8",
        )
        .await;
    four_open(&database).await;
    assert_eq!((ask(&pool, WRITERS).await, ask(&pool, VERSIONS).await), (2, 8), "one made the rest");

    let turns = ask(&pool, TURNS).await;
    four_open(&database).await;
    assert_eq!(ask(&pool, TURNS).await, turns, "who finds nothing to do asks for no turn");
    database.drop_schema().await;
}

const HELD: &str = "INSERT INTO $schema._ttm_migration_lease VALUES (true, 41, 'process 7 on elsewhere', now(), \
     clock_timestamp() + interval '2 s')";

/// A schema in which a process that is not there any more has the turn for two seconds.
async fn with_a_dead_holder(test: &str) -> Database {
    let database = Database::new(test).await;
    server(&database).migrate(&ONCE).await.expect("there is nothing in its way");
    database.execute("DELETE FROM $schema._ttm_migration_lease").await;
    database.execute("DROP TABLE $schema._once_migrations, $schema.once").await;
    database.execute(HELD).await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_died_is_superseded_when_its_lease_ends() {
    let database = with_a_dead_holder("migrations_dead").await;
    server(&database).migrate(&ONCE).await.expect("it waits until then");
    let pool = server(&database).pool(1);
    assert_eq!((ask(&pool, TURNS).await, ask(&pool, LASTING).await), (42, 0));
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_works_is_named_after_a_bounded_wait_however_long_ago_its_lease_ended() {
    let database = with_a_dead_holder("migrations_busy").await;
    // Its transaction has the row, as that of a migration that takes its time.
    let works = database.begin_with("SELECT * FROM $schema._ttm_migration_lease FOR UPDATE").await;
    let refused = server(&database).migrate(&ONCE).await.expect_err("it is not its turn");
    assert!(matches!(refused, OpenError::Locked { .. }) && refused.is_transient(), "{refused:?}");
    let line = refused.to_string();
    let named = "cannot migrate the schema yet: waiting for process 7 on elsewhere, which migrates since ";
    assert!(line.contains(named) && line.contains("; if it died, its turn ends at "), "{line}");
    assert!(!line.contains('\n'), "{line}");
    works.rollback().await.expect("it is given back");
    server(&database).migrate(&ONCE).await.expect("it is its turn");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_has_nothing_to_do_once_another_has_migrated() {
    let database = with_a_dead_holder("migrations_done").await;
    let (pool, server) = (server(&database).pool(1), server(&database));
    let others = async {
        // The holder was not dead after all.
        database
            .execute(
                "SELECT 1 FROM $schema._ttm_migration_lease FOR UPDATE; CREATE TABLE $schema.once (one int); \
                 CREATE TABLE $schema._once_migrations (version bigint, description text, checksum bytea, success boolean)",
            )
            .await;
        let checksum = ONCE.migrator().iter().map(|each| hex(&each.checksum)).next().expect("it has one");
        let note = format!("INSERT INTO $schema._once_migrations VALUES (1, 'once', '\\x{checksum}', true)");
        database.execute(&note).await;
    };
    let (migrated, ()) = tokio::join!(server.migrate(&ONCE), others);
    migrated.expect("it is done");
    assert_eq!(ask(&pool, TURNS).await, 41, "it took no turn");
    database.drop_schema().await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_superseded_between_its_turn_and_its_work_does_nothing_and_asks_again() {
    let database = with_a_dead_holder("migrations_late").await;
    // The first turn that is granted is another's by the time it is looked at.
    database
        .execute(
            "CREATE TABLE $schema.fooled (one int); \
             CREATE FUNCTION $schema.fool() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN \
             IF NOT EXISTS (SELECT FROM $schema.fooled) THEN INSERT INTO $schema.fooled VALUES (1); \
             UPDATE $schema._ttm_migration_lease SET turn = turn + 1, expires_at = clock_timestamp(); END IF; \
             RETURN NULL; END $f$; \
             CREATE TRIGGER fool AFTER UPDATE ON $schema._ttm_migration_lease \
             FOR EACH ROW EXECUTE FUNCTION $schema.fool()",
        )
        .await;
    server(&database).migrate(&ONCE).await.expect("the next turn is its own");
    let pool = server(&database).pool(1);
    assert_eq!(ask(&pool, TURNS).await, 44, "41 had died, 42 came too late, 43 was the other's");
    database.drop_schema().await;
}

const TABLES: &str = "SELECT count(*) FROM pg_class WHERE relname IN ('half', '_failing_migrations') \
     AND relnamespace = current_schema()::regnamespace";

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_leaves_nothing_behind_and_keeps_nobody_waiting() {
    let database = Database::new("migrations_failed").await;
    let fails = Schema {
        history: "_failing_migrations",
        migrations: &[("half", "CREATE TABLE half (one int)"), ("fails", "SELECT 1 / 0")],
        tables: &[],
    };
    let failed = server(&database).migrate(&fails).await.expect_err("it divides by zero");
    assert!(failed.to_string().contains("while applying migration 2"), "{failed}");
    let pool = server(&database).pool(1);
    assert_eq!((ask(&pool, TABLES).await, ask(&pool, LASTING).await), (0, 0));
    server(&database).migrate(&ONCE).await.expect("it is nobody's turn");
    assert_eq!(ask(&pool, TURNS).await, 2);
    database.drop_schema().await;
}
