//! The laws of the port on a server, and failures that only a server has.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::testing::cancelled_after;
use ttm_kernel::{Connections, StoreError, StoreErrorKind};
use ttm_perf::testing::{conformance, event_conformance};
use ttm_perf::{Aggregate, EventStore, MetricStore, RangeQuery, Sample, SeriesKey};
use ttm_postgres_metrics::{OpenError, PostgresMetricStore};
use ttm_sqlx_pool::postgres::testing::Database;

async fn open(database: &Database) -> PostgresMetricStore {
    PostgresMetricStore::open(database.url()).await.expect("the store opens")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn key(number: usize) -> SeriesKey {
    format!("test.s{number}").parse().expect("valid")
}

/// One sample a second.
fn batch(series: &SeriesKey, samples: i64) -> Vec<Sample> {
    (0..samples).map(|second| Sample::try_new(series.clone(), at(second), 1.0).expect("finite")).collect()
}

async fn count(store: &dyn MetricStore, series: &SeriesKey) -> u64 {
    let minute = Duration::from_mins(1);
    let query =
        RangeQuery::try_new(series.clone(), at(0), at(86_400), minute, Aggregate::Count).expect("valid");
    store.range(&query).await.expect("range answers").iter().map(|point| point.count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_postgres_obeys_every_law() {
    let database = Database::new("metrics_conformance").await;
    conformance::check(async || Box::new(open(&database).await) as Box<dyn MetricStore>).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_a_database_of_postgres_obey_every_law() {
    let database = Database::new("metrics_events").await;
    event_conformance::check(async || Box::new(open(&database).await.events()) as Box<dyn EventStore>).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_stores_that_migrate_and_write_at_once_all_work() {
    let database = Database::new("metrics_four").await;
    let stores = tokio::join!(open(&database), open(&database), open(&database), open(&database));
    let (one, other) = (key(1), key(2));
    // The same new series in opposite orders: no deadlock, and no sample twice.
    let forth = [batch(&one, 500), batch(&other, 500)].concat();
    let back: Vec<Sample> = forth.iter().rev().cloned().collect();
    let appended = tokio::join!(
        stores.0.append(&forth),
        stores.1.append(&back),
        stores.2.append(&forth),
        stores.3.append(&back)
    );
    let appended = [appended.0, appended.1, appended.2, appended.3];
    let new: u64 = appended.into_iter().map(|appended| appended.expect("append works").stored).sum();
    assert_eq!(new, 1_000);
    assert_eq!((count(&stores.0, &one).await, count(&stores.3, &other).await), (500, 500));
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_program_is_refused_in_one_line() {
    let database = Database::new("metrics_newer").await;
    drop(open(&database).await);
    database
        .execute("INSERT INTO $schema._ttm_metrics_migrations VALUES (99, 'new', now(), true, '', 0)")
        .await;
    let error = PostgresMetricStore::open(database.url()).await.expect_err("it is refused");
    assert!(matches!(error, OpenError::NewerSchema { found: 99, known: 2, .. }), "{error:?}");
    let line = error.to_string();
    let end = " has schema version 99, this program knows versions up to 2: start a newer one";
    assert!(line.starts_with("PostgreSQL at ") && line.ends_with(end) && !line.contains('\n'), "{line}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_used_is_named_without_its_password() {
    let url = "postgres://ann:s3cret@localhost/ttm?host=/nowhere&port=77";
    let error = PostgresMetricStore::open(url).await.expect_err("there is no such server");
    assert!(error.to_string().starts_with("cannot connect to PostgreSQL at /nowhere:77/ttm: "), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_postgres_cannot_store_rejects_the_whole_batch() {
    let database = Database::new("metrics_ancient").await;
    let store = open(&database).await;
    let mut samples = batch(&key(1), 2);
    samples.push(Sample::try_new(key(1), Timestamp::MIN, 1.0).expect("finite"));
    let refused = store.append(&samples).await;
    assert!(
        matches!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Rejected)),
        "{refused:?}"
    );
    assert_eq!(count(&store, &key(1)).await, 0);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_and_a_missing_table_are_told_apart() {
    let database = Database::new("metrics_locked").await;
    let store = open(&database).await;
    let samples = batch(&key(1), 1);
    let lock = database.begin_with("LOCK TABLE $schema.sample").await;
    let locked = store.append(&samples).await;
    lock.rollback().await.expect("the lock is given back");
    assert!(
        matches!(locked.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Transient { .. })),
        "{locked:?}"
    );
    assert_eq!(store.append(&samples).await.expect("append works").stored, 1);
    database.execute("DROP TABLE $schema.sample").await;
    let gone = store.append(&samples).await;
    assert!(matches!(gone.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Missing)), "{gone:?}");
    assert_eq!(gone.as_ref().err().and_then(StoreError::code), Some("SQLSTATE 42P01"), "{gone:?}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_dropped_anywhere_leave_no_transaction_and_give_their_connections_back() {
    let database = Database::new("metrics_dropped").await;
    let store = open(&database).await;
    for polls in 0.. {
        let series = key(polls);
        if cancelled_after(polls, store.append(&batch(&series, 300))).await.is_some() {
            break;
        }
        // Waits for any lock that is left behind on the series that both name.
        store.append(&batch(&series, 1)).await.expect("append works");
    }
    assert!(database.has_no_open_transaction().await);
    let Connections { in_use, max } = store.connections().expect("it has pools");
    assert!(in_use <= max && max == 6, "{in_use} of {max}");
    database.drop_schema().await;
}
