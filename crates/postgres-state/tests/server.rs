//! A server in trouble: read-only, full, frozen, locked, or with an encoding that lacks characters.

use std::net::TcpListener;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, StoreErrorKind};
use ttm_market::{Mint, TokenStore};
use ttm_postgres_state::{OpenError, PostgresTokenStore};
use ttm_sqlx_pool::Schema;
use ttm_sqlx_pool::postgres::Server;
use ttm_sqlx_pool::postgres::testing::Database;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

async fn open(database: &Database) -> PostgresTokenStore {
    PostgresTokenStore::open(database.url()).await.expect("the store opens")
}

fn mint(number: u8) -> Mint {
    Mint::from_bytes([number; 32])
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_and_back_the_first_retry_succeeds() {
    let database = Database::whole("server_failover", "").await;
    let store = open(&database).await;
    // As many sessions as the pool allows, so that old ones would be met repeatedly.
    let all = tokio::join!(
        store.revision(Epoch::new(0)),
        store.revision(Epoch::new(0)),
        store.revision(Epoch::new(0))
    );
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok());
    let name = format!("server_failover_{}", std::process::id());
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
         AND pid <> pg_backend_pid() AND application_name LIKE 'server_failover%'";
    database.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on; {cut}")).await;
    let all = tokio::join!(
        store.revision(Epoch::new(0)),
        store.revision(Epoch::new(0)),
        store.revision(Epoch::new(0))
    );
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok(), "reading goes on: {all:?}");
    let refused = store.add(&[mint(1)], AT).await;
    let Err(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Transient { retry_after: None }, "{error}");
    let message = error.said();
    assert!(message.ends_with("(SQLSTATE 25006)"), "{message}");
    // The existing sessions stay read-only for as long as they live.
    let all = tokio::join!(
        store.revision(Epoch::new(0)),
        store.revision(Epoch::new(0)),
        store.revision(Epoch::new(0))
    );
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok());
    database
        .execute(&format!(
            "SET TRANSACTION READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only"
        ))
        .await;
    let _ = store.add(&[mint(1)], AT).await;
    store.add(&[mint(1)], AT).await.expect("the next session leads to the primary");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_a_frozen_and_an_absent_server_are_told_apart() {
    let database = Database::whole("server_full", "CONNECTION LIMIT 0").await;
    // The limit does not apply to superusers, so this is a user of its own.
    let user = format!("server_full_{}", std::process::id());
    database.execute(&format!("DROP ROLE IF EXISTS {user}; CREATE ROLE {user} LOGIN")).await;
    let (_, rest) = database.url().split_once("//").expect("a URL");
    let (_, place) = rest.split_once('@').unwrap_or(("", rest));
    let full = PostgresTokenStore::open(&format!("postgres://{user}@{place}")).await;
    let Err(OpenError::Store { error, .. }) = &full else { panic!("{full:?}") };
    let message = error.said();
    assert!(
        message.starts_with("too many connections") && message.ends_with("(SQLSTATE 53300)"),
        "{message}"
    );
    database.execute(&format!("DROP ROLE {user}")).await;
    database.drop_schema().await;

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let frozen = PostgresTokenStore::open(&format!("postgres://ann:s3cret@{address}/ttm")).await;
    let Err(OpenError::Store { error, .. }) = &frozen else { panic!("{frozen:?}") };
    assert_eq!(error.said(), "no answer within 2 s");
    drop(listener);
    let absent = PostgresTokenStore::open(&format!("postgres://ann:s3cret@{address}/ttm")).await;
    let Err(OpenError::Store { error, .. }) = &absent else { panic!("{absent:?}") };
    assert_eq!(error.said(), "connection refused (os error 111)");
    let shown = format!("{error}, {error:?}");
    let secrets = ["s3cret", "ann", &*address.to_string()];
    assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_more_sessions_is_asked_again_by_the_next_call() {
    let database = Database::whole("server_crowded", "").await;
    let store = open(&database).await;
    store.add(&[mint(1)], AT).await.expect("add works");
    store.close().await;
    // The limit does not apply to superusers, so this is a user of its own.
    let role = format!("server_crowded_{}", std::process::id());
    database
        .execute(&format!(
            "DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN CONNECTION LIMIT 9; \
             GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
        ))
        .await;
    let (_, rest) = database.url().split_once("//").expect("a URL");
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    let url = format!("postgres://{role}@{place}");
    let store = PostgresTokenStore::open(&url).await.expect("there is nothing to migrate");
    store.add(&[mint(2)], AT).await.expect("there is room");
    let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'");
    database.execute(&format!("ALTER ROLE {role} CONNECTION LIMIT 0")).await;
    database.execute(&cut).await;
    for _ in 0..2 {
        let refused = store.add(&[mint(3)], AT).await;
        let Err(error) = refused else { panic!("{refused:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Transient { retry_after: None }, "{error}");
        assert_eq!(error.code(), Some("SQLSTATE 53300"), "{error}");
    }
    database.execute(&format!("ALTER ROLE {role} CONNECTION LIMIT 9")).await;
    store.add(&[mint(3)], AT).await.expect("there is room again");
    store.close().await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_encoding_lacks_characters_is_refused_in_one_line() {
    let options = "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0";
    let database = Database::whole("server_latin1", options).await;
    let refused = PostgresTokenStore::open(database.url()).await.expect_err("it lacks characters");
    let line = refused.to_string();
    assert!(line.contains("the database's encoding is LATIN1; expected UTF8"), "{line}");
    assert!(!refused.is_transient() && !line.contains('\n'), "{line}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_on_the_migration_history_is_waited_for_briefly_and_its_holder_is_named() {
    let database = Database::new("server_locked").await;
    drop(open(&database).await);
    let lock = database.begin_with("LOCK TABLE $schema._ttm_state_migrations IN ACCESS EXCLUSIVE MODE").await;
    let refused = PostgresTokenStore::open(database.url()).await.expect_err("somebody has a lock");
    assert!(refused.is_transient(), "{refused:?}");
    let line = refused.to_string();
    assert!(line.contains("waiting for _ttm_state_migrations, locked by server process "), "{line}");
    assert!(line.contains("user postgres") && !line.contains('\n'), "{line}");
    lock.rollback().await.expect("the lock is given back");
    drop(open(&database).await);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_the_server_never_answers_is_given_up() {
    let database = Database::new("server_endless").await;
    let schema = Schema {
        history: "_endless_migrations",
        migrations: &[("endless", "SELECT pg_sleep(600)")],
        tables: &[],
    };
    let server = Server::parse(database.url()).expect("the URL is good");
    // The server's own limit is another one: this is as if it enforced none.
    let given_up = server.migrate_within(Duration::ZERO, &schema).await;
    let Err(OpenError::Store { error, .. }) = &given_up else { panic!("{given_up:?}") };
    assert_eq!((&*error.said(), error.doing()), ("no answer within 2 s", Some("applying migration 1")));
    // The server would go on running it and keep its locks.
    let end_it = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                  WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()";
    database.execute(end_it).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advisory_lock_of_another_session_blocks_nothing() {
    let database = Database::whole("server_advisory", "").await;
    // The lock that the driver's own migrator waits for: its key is derived from the name of the database.
    let name = format!("server_advisory_{}", std::process::id());
    let crc = name.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    });
    let key = 0x3d32_ad9e * i64::from(!crc);
    let lock = database.begin_with(&format!("SELECT pg_advisory_xact_lock({key})")).await;
    drop(open(&database).await);
    lock.rollback().await.expect("it ends");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_is_reported_and_works_again_once_it_is_back() {
    let database = Database::whole("server_rights", "").await;
    let store = open(&database).await;
    database.execute("ALTER TABLE token RENAME TO hidden").await;
    let missing = store.load(None, 1).await;
    let Err(error) = &missing else { panic!("{missing:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Missing, "{error}");
    let message = error.said();
    assert!(message.ends_with("(SQLSTATE 42P01); restore it from a backup"), "{message}");
    database.execute("ALTER TABLE hidden RENAME TO token").await;
    assert_eq!(store.load(None, 1).await.expect("it is there again"), []);
    database.drop_schema().await;
}
