//! The laws of the port on a file, and failures that only a file has.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use ttm_kernel::testing::cancelled_after;
use ttm_kernel::{Connections, Severity, StoreErrorKind};
use ttm_perf::testing::{conformance, event_conformance};
use ttm_perf::{Aggregate, Event, EventId, EventStore, MetricStore, RangeQuery, Sample, SeriesKey};
use ttm_sqlite_metrics::{OpenError, SqliteMetricStore};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

async fn open(folder: &TempDir) -> SqliteMetricStore {
    SqliteMetricStore::open(folder.path().join("ttm.db")).await.expect("the store opens")
}

/// Runs a statement over another connection.
async fn execute(file: &Path, statement: &'static str) {
    let mut other = SqliteConnectOptions::new().filename(file).connect().await.expect("the file opens");
    sqlx::query(statement).execute(&mut other).await.expect("the test's own statement is valid");
    other.close().await.expect("the file closes");
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
async fn a_file_of_sqlite_obeys_every_law() {
    let folder = folder();
    conformance::check(async || Box::new(open(&folder).await) as Box<dyn MetricStore>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_a_file_of_sqlite_obey_every_law() {
    let folder = folder();
    event_conformance::check(async || Box::new(open(&folder).await.events()) as Box<dyn EventStore>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_stores_that_open_a_new_file_at_once_all_work() {
    for _ in 0..10 {
        let folder = folder();
        let stores = tokio::join!(open(&folder), open(&folder), open(&folder), open(&folder));
        let series = key(1);
        for store in [&stores.0, &stores.1, &stores.2, &stores.3] {
            store.append(&batch(&series, 3)).await.expect("append works");
            assert_eq!(count(store, &series).await, 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_newer_program_is_refused_in_one_line() {
    let folder = folder();
    drop(open(&folder).await);
    let file = folder.path().join("ttm.db");
    execute(&file, "INSERT INTO _ttm_metrics_migrations SELECT 99, 'new', '', true, '', 0").await;
    let error = SqliteMetricStore::open(&file).await.expect_err("it is refused");
    assert!(matches!(error, OpenError::NewerSchema { found: 99, known: 2, .. }), "{error:?}");
    let line = format!(
        "{} has schema version 99, this program knows versions up to 2: start a newer one",
        file.display()
    );
    assert_eq!(error.to_string(), line);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_cannot_be_a_store_is_reported_in_one_line() {
    let folder = folder();
    let missing = folder.path().join("missing").join("ttm.db");
    let error = SqliteMetricStore::open(&missing).await.expect_err("there is no folder");
    assert!(error.to_string().starts_with(&format!("cannot open {}", missing.display())), "{error}");

    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "Dear diary, this is a text of more than a few bytes.\n".repeat(100))
        .expect("written");
    let error = SqliteMetricStore::open(&text).await.expect_err("it is no database");
    assert_eq!(
        error.to_string(),
        format!("{} is not a usable store: file is not a database (SQLITE_NOTADB, 26)", text.display())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_is_retried_once_a_minute_and_may_come_back() {
    let folder = folder();
    let store = open(&folder).await;
    execute(&folder.path().join("ttm.db"), "ALTER TABLE sample RENAME TO away").await;
    let refused = store.append(&batch(&key(1), 1)).await;
    let Err(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Missing, "{error}");
    assert_eq!(error.said(), "no such table: sample (SQLITE_ERROR, 1); restore it from a backup");
    assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
    execute(&folder.path().join("ttm.db"), "ALTER TABLE away RENAME TO sample").await;
    assert_eq!(store.append(&batch(&key(1), 1)).await.expect("it is back").stored, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_sqlite_rolled_back_by_itself_breaks_no_later_one() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let store = open(&folder).await;
    let events = store.events();
    let started = Event::new(
        EventId::from_bits(1),
        at(1),
        "service.started".parse().expect("valid"),
        "ttm".parse().expect("valid"),
        Severity::Info,
        "{}".parse().expect("valid"),
    );
    // What a full disk does to a transaction, without a full disk: SQLite rolls back by itself in the middle of a statement.
    execute(
        &file,
        "CREATE TRIGGER full_sample BEFORE INSERT ON sample BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
    )
    .await;
    execute(
        &file,
        "CREATE TRIGGER full_event BEFORE INSERT ON event BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
    )
    .await;
    for _ in 0..3 {
        store.append(&batch(&key(1), 300)).await.expect_err("the trigger refuses it");
        events.append(std::slice::from_ref(&started)).await.expect_err("the trigger refuses it");
    }
    execute(&file, "DROP TRIGGER full_sample").await;
    execute(&file, "DROP TRIGGER full_event").await;
    assert_eq!(events.append(&[started]).await.expect("there is room again").stored, 1);
    assert_eq!(store.append(&batch(&key(1), 300)).await.expect("there is room again").stored, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_deleted_or_replaced_under_the_store_is_reported_before_anything_is_lost() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let store = open(&folder).await;
    store.append(&batch(&key(1), 1)).await.expect("append works");
    std::fs::remove_file(&file).expect("deleted");
    let refused = store.append(&batch(&key(1), 2)).await;
    let Err(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let message = error.said();
    assert!(message.starts_with(&format!("{} was deleted or moved away", file.display())), "{message}");
    assert!(!file.exists(), "no empty file takes its place");
    std::fs::write(&file, "").expect("written");
    let refused = store.append(&batch(&key(1), 2)).await;
    let Err(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let message = error.said();
    assert!(message.starts_with(&format!("{} was replaced by another file", file.display())), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_dropped_anywhere_give_their_connections_back() {
    let folder = folder();
    let store = open(&folder).await;
    for polls in 0.. {
        if cancelled_after(polls, store.append(&batch(&key(polls), 300))).await.is_some() {
            break;
        }
    }
    store.append(&batch(&key(1_000_000), 1)).await.expect("append works");
    let Connections { in_use, max } = store.connections().expect("it has pools");
    assert!(in_use <= max && max == 5, "{in_use} of {max}");
}
