//! The laws of the port on a server, and failures that only a server has.

use jiff::Timestamp;
use ttm_kernel::testing::cancelled_after;
use ttm_kernel::{Connections, Epoch, FencingToken, StoreError, StoreErrorKind};
use ttm_market::testing::conformance;
use ttm_market::{Basis, Mint, Score, ScoreState, Smoothed, Token, TokenStore};
use ttm_postgres_state::{OpenError, PostgresTokenStore};
use ttm_sqlx_pool::postgres::testing::Database;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

async fn open(database: &Database) -> PostgresTokenStore {
    PostgresTokenStore::open(database.url()).await.expect("the store opens")
}

fn mint(number: u8) -> Mint {
    Mint::from_bytes([number; 32])
}

fn scored(number: u8, value: f64) -> Token {
    let smoothed = Smoothed { value, ..Smoothed::default() };
    let score = ScoreState { raw: Score::default(), smoothed, basis: Basis::Primary, pools: 1, at: AT };
    Token { score: Some(score), ..Token::new(mint(number), AT) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_postgres_obeys_every_law() {
    let database = Database::new("tokens_conformance").await;
    conformance::token_store::check(async || Box::new(open(&database).await) as Box<dyn TokenStore>).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_stores_that_migrate_at_once_all_work() {
    let database = Database::new("tokens_four").await;
    let stores = tokio::join!(open(&database), open(&database), open(&database), open(&database));
    let all = [&stores.0, &stores.1, &stores.2, &stores.3];
    for (number, store) in (1..).zip(all) {
        store.add(&[mint(number)], AT).await.expect("add works");
    }
    assert_eq!(all[0].load(None, 10).await.expect("load answers").len(), 4);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_program_is_refused_in_one_line() {
    let database = Database::new("tokens_newer").await;
    drop(open(&database).await);
    database
        .execute(
            "INSERT INTO $schema._ttm_state_migrations \
             SELECT version, 'new', now(), true, '', 0 FROM unnest(ARRAY[98, 99]) AS new (version)",
        )
        .await;
    let error = PostgresTokenStore::open(database.url()).await.expect_err("it is refused");
    assert!(matches!(error, OpenError::NewerSchema { found: 99, known: 8, .. }), "{error:?}");
    let line = error.to_string();
    let end = " has schema version 99, this program knows versions up to 8: start a newer one";
    assert!(line.starts_with("PostgreSQL at ") && line.ends_with(end) && !line.contains('\n'), "{line}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_lacks_applied_migrations_is_reported_and_nothing_is_changed() {
    let database = Database::new("tokens_forgot").await;
    open(&database).await.add(&[mint(1)], AT).await.expect("add works");
    database.execute("CREATE TABLE $schema.kept AS TABLE $schema._ttm_state_migrations").await;
    for (forgets, lacks) in [
        ("version >= 3", "it lacks migration 3, but column \"origin\" of relation \"token\" already exists"),
        ("version >= 1", "it lacks migration 1, but relation \"token\" already exists"),
    ] {
        database.execute(&format!("DELETE FROM $schema._ttm_state_migrations WHERE {forgets}")).await;
        let error = PostgresTokenStore::open(database.url()).await.expect_err("it is refused");
        let told = format!(
            "its table _ttm_state_migrations does not match this program: {lacks}; restore that table"
        );
        assert!(error.to_string().contains(&told), "{error}");
    }
    database.execute("INSERT INTO $schema._ttm_state_migrations TABLE $schema.kept").await;
    assert_eq!(open(&database).await.load(None, 9).await.expect("load answers").len(), 1);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_used_is_named_without_its_password() {
    let refused = |url: &'static str| async move {
        let error = PostgresTokenStore::open(url).await.expect_err("there is no such server");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        error.to_string()
    };
    let line = refused("postgres://ann:s3cret@127.0.0.1:1/ttm").await;
    assert_eq!(line, "cannot connect to PostgreSQL at 127.0.0.1:1/ttm: connection refused (os error 111)");
    let line = refused("postgres://ann:s3cret@localhost/ttm?host=/nowhere&port=77").await;
    assert!(line.starts_with("cannot connect to PostgreSQL at /nowhere:77/ttm: "), "{line}");
    let line = refused("postgres://ann:s3cret@localhost:port/ttm").await;
    assert!(line.starts_with("the database URL is invalid: "), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_is_kept_to_the_bit() {
    let database = Database::new("tokens_bits").await;
    let store = open(&database).await;
    let under = FencingToken::first(store.claim().await.expect("claim works"));
    store.add(&[mint(1)], AT).await.expect("add works");
    for value in [-0.0, 0.0, 1.0, 0.1 + 0.2, f64::MAX, f64::MIN_POSITIVE, f64::from_bits(1)] {
        store.save(under, &[scored(1, value)]).await.expect("save works");
        let loaded = store.load(None, 1).await.expect("load answers").remove(0);
        assert_eq!(loaded.smoothed_score().map(f64::to_bits), Some(value.to_bits()), "{value:e}");
    }
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_cannot_be_stored_rejects_the_whole_batch() {
    let database = Database::new("tokens_rejected").await;
    let store = open(&database).await;
    let under = FencingToken::first(store.claim().await.expect("claim works"));
    store.add(&[mint(1), mint(2)], AT).await.expect("add works");
    let with_nul = Token { symbol: Some("A\0B".into()), ..Token::new(mint(2), AT) };
    for bad in [scored(2, f64::NAN), scored(2, f64::INFINITY), with_nul, Token::new(mint(2), Timestamp::MIN)]
    {
        let refused = store.save(under, &[scored(1, 1.0), bad]).await;
        assert!(
            matches!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Rejected)),
            "{refused:?}"
        );
    }
    let loaded = store.load(None, 2).await.expect("load answers");
    assert_eq!(loaded, [Token::new(mint(1), AT), Token::new(mint(2), AT)]);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_and_a_missing_table_are_told_apart() {
    let database = Database::new("tokens_locked").await;
    let store = open(&database).await;
    let lock = database.begin_with("LOCK TABLE $schema.token").await;
    let locked = store.load(None, 1).await;
    lock.rollback().await.expect("the lock is given back");
    assert!(
        matches!(locked.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Transient { .. })),
        "{locked:?}"
    );
    assert_eq!(store.load(None, 1).await.expect("load answers"), []);
    database.execute("DROP TABLE $schema.token").await;
    let gone = store.load(None, 1).await;
    assert!(matches!(gone.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Missing)), "{gone:?}");
    assert_eq!(gone.as_ref().err().and_then(StoreError::code), Some("SQLSTATE 42P01"), "{gone:?}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_closed_are_replaced() {
    let database = Database::new("tokens_closed").await;
    let store = open(&database).await;
    let first = store.revision(Epoch::new(0)).await.expect("revision answers");
    database
        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '$schema'")
        .await;
    assert_eq!(store.revision(Epoch::new(0)).await.expect("revision answers"), first);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_is_dropped_anywhere_stores_all_or_nothing_and_leaves_no_transaction() {
    let database = Database::new("tokens_dropped").await;
    let store = open(&database).await;
    store.add(&[mint(1), mint(2)], AT).await.expect("add works");
    for polls in 0.. {
        // A claim waits for a lock on the epoch that is left behind, and fails after two seconds.
        let under = FencingToken::first(store.claim().await.expect("claim works"));
        let value = polls as f64 + 1.0;
        let saved = cancelled_after(polls, store.save(under, &[scored(1, value), scored(2, value)])).await;
        let loaded = store.load(None, 2).await.expect("load answers");
        assert_eq!(loaded[0].smoothed_score(), loaded[1].smoothed_score(), "after {polls} polls");
        if let Some(saved) = saved {
            saved.expect("save works");
            assert_eq!(loaded[0].smoothed_score(), Some(value));
            break;
        }
    }
    store.claim().await.expect("claim works");
    assert!(database.has_no_open_transaction().await);
    let Connections { in_use, max } = store.connections().expect("it has a pool");
    assert!(in_use <= max && max == 5, "{in_use} of {max}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_is_named_and_not_recreated() {
    let database = Database::new("tokens_gone").await;
    drop(open(&database).await);
    database.execute("ALTER TABLE $schema.writer RENAME TO away").await;
    let error = PostgresTokenStore::open(database.url()).await.expect_err("nothing can start");
    assert!(error.needs_a_person(), "it is waited for: {error:?}");
    let told = "its table writer is missing, although _ttm_state_migrations has its migration as applied; restore it from a backup";
    assert!(error.to_string().contains(told), "{error}");
    database.execute("ALTER TABLE $schema.away RENAME TO writer").await;
    drop(open(&database).await);
    database.execute("DELETE FROM $schema.writer; DELETE FROM $schema.revision").await;
    let store = open(&database).await;
    let epoch = store.claim().await.expect("whoever comes writes the row");
    assert_eq!((epoch.number(), store.revision(epoch).await.expect("revision answers")), (1, 0));
    store.add(&[mint(1)], AT).await.expect("add works");
    assert_eq!(store.revision(epoch).await.expect("revision answers"), 1);
    database.drop_schema().await;
}
