//! The laws of the breakers' port on a server, and rows that no breaker can have written.

use std::time::Duration;

use jiff::Timestamp;
use ttm_breaker::testing::conformance;
use ttm_breaker::{BreakerStore, Saved, State, StoredBreaker};
use ttm_kernel::{FencingToken, StoreError, StoreErrorKind};
use ttm_market::TokenStore;
use ttm_postgres_state::PostgresTokenStore;
use ttm_sqlx_pool::postgres::testing::Database;

async fn open(database: &Database) -> PostgresTokenStore {
    PostgresTokenStore::open(database.url()).await.expect("the store opens")
}

fn named(name: &str) -> StoredBreaker {
    let saved = Saved { state: State::Open, open_for: Duration::from_mins(1), failed_recoveries: 0 };
    StoredBreaker { name: name.to_owned(), saved, at: Timestamp::UNIX_EPOCH, since: None, rate: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_postgres_obeys_every_law() {
    let database = Database::new("breakers_conformance").await;
    let tokens = open(&database).await;
    let claim = async || tokens.claim().await.expect("claim works");
    conformance::check(async || Box::new(open(&database).await.breakers()) as Box<dyn BreakerStore>, claim)
        .await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_breaker_can_have_written_is_unexpected_and_says_why() {
    let database = Database::new("breakers_corrupt").await;
    let store = open(&database).await;
    database
        .execute(
            "ALTER TABLE $schema.breaker DROP CONSTRAINT breaker_state_check, \
             DROP CONSTRAINT breaker_open_for_us_check, DROP CONSTRAINT breaker_failed_recoveries_check",
        )
        .await;
    for (row, why) in [
        (
            "INSERT INTO $schema.breaker VALUES ('api', 'ajar', 0, 0, now())",
            "the breaker \"api\" has the unknown state \"ajar\"",
        ),
        (
            "UPDATE $schema.breaker SET state = 'open', open_for_us = -1",
            "the breaker \"api\" has a negative open period",
        ),
        (
            "UPDATE $schema.breaker SET open_for_us = 0, failed_recoveries = -1",
            "the breaker \"api\" has an out-of-range count of failed recoveries",
        ),
        (
            "UPDATE $schema.breaker SET failed_recoveries = 4294967296",
            "the breaker \"api\" has an out-of-range count of failed recoveries",
        ),
    ] {
        database.execute(row).await;
        let refused = store.breakers().load().await;
        let Err(error) = &refused else { panic!("{row}: {refused:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{error}");
        let message = error.said();
        assert!(message.ends_with(why), "{message}");
    }
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_cannot_be_stored_rejects_the_whole_batch() {
    let database = Database::new("breakers_rejected").await;
    let store = open(&database).await;
    let under = FencingToken::first(store.claim().await.expect("claim works"));
    let refused = store.breakers().save(under, &[named("api"), named("a\0pi")]).await;
    assert!(
        matches!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Rejected)),
        "{refused:?}"
    );
    assert_eq!(store.breakers().load().await.expect("load answers"), []);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_and_a_missing_table_are_told_apart() {
    let database = Database::new("breakers_locked").await;
    let store = open(&database).await.breakers();
    let lock = database.begin_with("LOCK TABLE $schema.breaker").await;
    let locked = store.load().await;
    lock.rollback().await.expect("the lock is given back");
    assert!(
        matches!(locked.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Transient { .. })),
        "{locked:?}"
    );
    database.execute("DROP TABLE $schema.breaker").await;
    let gone = store.load().await;
    assert!(matches!(gone.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Missing)), "{gone:?}");
    assert_eq!(gone.as_ref().err().and_then(StoreError::code), Some("SQLSTATE 42P01"), "{gone:?}");
    database.drop_schema().await;
}
