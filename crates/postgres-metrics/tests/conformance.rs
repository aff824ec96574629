//! The laws of the port, on a server.

mod database;

use database::Database;
use ttm_perf::MetricStore;
use ttm_perf::testing::conformance;
use ttm_postgres_metrics::PostgresMetricStore;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_postgres_obeys_every_law() {
    let database = Database::new("metrics_conformance").await;
    conformance::check(async || {
        Box::new(PostgresMetricStore::open(database.url()).await.expect("the store opens"))
            as Box<dyn MetricStore>
    })
    .await;
    database.drop_schema().await;
}
