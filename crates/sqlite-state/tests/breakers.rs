//! The laws of the breakers' port on a file, and rows that no breaker can have written.

use std::path::Path;
use ttm_kernel::{StoreError, StoreErrorKind};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use ttm_breaker::BreakerStore;
use ttm_breaker::testing::conformance;
use ttm_market::{Mint, TokenStore};
use ttm_sqlite_state::SqliteTokenStore;

async fn open(file: &Path) -> SqliteTokenStore {
    SqliteTokenStore::open(file).await.expect("the store opens")
}

/// Runs statements over another connection.
async fn execute(file: &Path, statements: &'static str) {
    let mut other = SqliteConnectOptions::new().filename(file).connect().await.expect("the file opens");
    sqlx::raw_sql(statements).execute(&mut other).await.expect("the test's own statements are valid");
    other.close().await.expect("the file closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_sqlite_obeys_every_law() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    let tokens = open(&file).await;
    let claim = async || tokens.claim().await.expect("claim works");
    conformance::check(async || Box::new(open(&file).await.breakers()) as Box<dyn BreakerStore>, claim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_breakers_is_migrated_and_keeps_its_tokens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    store.add(&[Mint::USDC], jiff::Timestamp::UNIX_EPOCH).await.expect("add works");
    drop(store);
    execute(&file, "DROP TABLE breaker; DELETE FROM _ttm_state_migrations WHERE version IN (2, 4, 7)").await;
    let store = open(&file).await;
    assert_eq!(store.breakers().load().await.expect("load answers"), []);
    assert_eq!(store.load(None, 9).await.expect("load answers").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_breaker_can_have_written_is_unexpected_and_says_why() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    for (row, why) in [
        (
            "PRAGMA ignore_check_constraints = 1; REPLACE INTO breaker VALUES ('api', 'ajar', 0, 0, 0, NULL, NULL, NULL)",
            "the breaker \"api\" has the unknown state \"ajar\"",
        ),
        (
            "PRAGMA ignore_check_constraints = 1; REPLACE INTO breaker VALUES ('api', 'open', -1, 0, 0, NULL, NULL, NULL)",
            "the breaker \"api\" has a negative open period",
        ),
        (
            "PRAGMA ignore_check_constraints = 1; REPLACE INTO breaker VALUES ('api', 'open', 0, -1, 0, NULL, NULL, NULL)",
            "the breaker \"api\" has an out-of-range count of failed recoveries",
        ),
        (
            "PRAGMA ignore_check_constraints = 1; REPLACE INTO breaker VALUES ('api', 'open', 0, 0, 0, 1.5, 0, NULL)",
            "the breaker \"api\" has an incomplete rate, or a share that is not above 0 and up to 1",
        ),
        (
            "REPLACE INTO breaker VALUES ('api', 'open', 0, 0, 0, 0.5, NULL, NULL)",
            "the breaker \"api\" has an incomplete rate, or a share that is not above 0 and up to 1",
        ),
        (
            "PRAGMA ignore_check_constraints = 1; REPLACE INTO breaker VALUES ('api', 'open', 0, 0, 0, 0.5, -1, NULL)",
            "the breaker \"api\" has a negative pause",
        ),
        (
            "REPLACE INTO breaker VALUES ('api', 'open', 0, 0, 9223372036854775807, NULL, NULL, NULL)",
            "a time is out of range",
        ),
    ] {
        execute(&file, row).await;
        let refused = store.breakers().load().await;
        let Err(error) = &refused else { panic!("{row}: {refused:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{error}");
        let message = error.said();
        assert!(message.ends_with(why), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_can_be_retried() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    execute(&file, "DROP TABLE breaker").await;
    let refused = store.breakers().load().await;
    assert!(
        matches!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Missing)),
        "{refused:?}"
    );
}
