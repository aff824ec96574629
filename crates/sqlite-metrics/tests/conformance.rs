//! The laws of the port, on a file.

use ttm_perf::MetricStore;
use ttm_perf::testing::conformance;
use ttm_sqlite_metrics::SqliteMetricStore;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_sqlite_obeys_every_law() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    conformance::check(async || {
        Box::new(SqliteMetricStore::open(&file).await.expect("the store opens")) as Box<dyn MetricStore>
    })
    .await;
}
