//! A store of alerts to try out.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use ttm_alert::{AlertStore, Commit, Loaded};
use ttm_kernel::FencingToken;
use ttm_market::TokenStore;
use ttm_sqlite_state::SqliteTokenStore;

pub(super) fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

pub(super) async fn open(file: &Path) -> SqliteTokenStore {
    SqliteTokenStore::open(file).await.expect("the store opens")
}

/// Runs statements over another connection.
pub(super) async fn execute(file: &Path, statements: &str) {
    let mut other = SqliteConnectOptions::new().filename(file).connect().await.expect("the file opens");
    let statements = sqlx::AssertSqlSafe(statements.to_owned());
    sqlx::raw_sql(statements).execute(&mut other).await.expect("the test's own statements are valid");
    other.close().await.expect("the file closes");
}

/// A number that a statement asks for.
pub(super) async fn ask(file: &Path, statement: &'static str) -> i64 {
    let mut other = SqliteConnectOptions::new().filename(file).connect().await.expect("the file opens");
    let answer = sqlx::query_scalar(statement).fetch_one(&mut other).await.expect("it answers");
    other.close().await.expect("the file closes");
    answer
}

pub(super) async fn claim(store: &SqliteTokenStore) -> FencingToken {
    FencingToken::first(store.claim().await.expect("claim works"))
}

pub(super) async fn commit(store: &SqliteTokenStore, under: FencingToken, commit: &Commit) {
    store.alerts().commit(under, commit).await.expect("commit works");
}

pub(super) async fn load(store: &SqliteTokenStore) -> Loaded {
    store.alerts().load().await.expect("load answers")
}
