//! The laws of the port, on a server.

mod database;

use database::Database;
use ttm_market::TokenStore;
use ttm_market::testing::conformance;
use ttm_postgres_state::PostgresTokenStore;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_postgres_obeys_every_law() {
    let database = Database::new("tokens_conformance").await;
    conformance::token_store::check(async || {
        Box::new(PostgresTokenStore::open(database.url()).await.expect("the store opens"))
            as Box<dyn TokenStore>
    })
    .await;
    database.drop_schema().await;
}
