//! A store of alerts to try out.

use ttm_alert::{AlertStore, Commit, Loaded};
use ttm_kernel::FencingToken;
use ttm_market::TokenStore;
use ttm_postgres_state::PostgresTokenStore;
use ttm_sqlx_pool::postgres::testing::Database;

pub(super) async fn open(database: &Database) -> PostgresTokenStore {
    PostgresTokenStore::open(database.url()).await.expect("the store opens")
}

/// A number that a statement asks for.
pub(super) async fn ask(database: &Database, statement: &'static str) -> i64 {
    let mut tx = database.begin_with("SET LOCAL search_path TO $schema").await;
    sqlx::query_scalar(statement).fetch_one(&mut *tx).await.expect("it answers")
}

pub(super) async fn claim(store: &PostgresTokenStore) -> FencingToken {
    FencingToken::first(store.claim().await.expect("claim works"))
}

pub(super) async fn commit(store: &PostgresTokenStore, under: FencingToken, commit: &Commit) {
    store.alerts().commit(under, commit).await.expect("commit works");
}

pub(super) async fn load(store: &PostgresTokenStore) -> Loaded {
    store.alerts().load().await.expect("load answers")
}
