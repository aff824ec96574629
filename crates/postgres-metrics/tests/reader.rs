//! The role that only reads, and the pool of its own: it can neither write nor keep a batch waiting.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{StoreError, StoreErrorKind};
use ttm_perf::{
    Aggregate, Event, EventId, EventQuery, EventStore, MetricStore, RangeQuery, Sample, SeriesKey,
};
use ttm_postgres_metrics::PostgresMetricStore;
use ttm_sqlx_pool::postgres::testing::Database;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn key() -> SeriesKey {
    "test.read".parse().expect("valid")
}

fn sample(second: i64) -> Sample {
    Sample::try_new(key(), at(second), 1.0).expect("finite")
}

fn range() -> RangeQuery {
    RangeQuery::try_new(key(), at(0), at(3_600), Duration::from_mins(1), Aggregate::Count).expect("valid")
}

/// A role that may log in, and nothing more; the URL by which it gets into the schema.
async fn reader(database: &Database, test: &str) -> (String, String) {
    let role = format!("{test}_{}", std::process::id());
    database
        .execute(&format!(
            "DO $do$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN \
             DROP OWNED BY {role}; DROP ROLE {role}; END IF; END $do$; \
             CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA $schema TO {role}"
        ))
        .await;
    let (_, rest) = database.url().split_once("//").expect("a URL");
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    (role.clone(), format!("postgres://{role}@{place}"))
}

async fn drop_role(database: &Database, role: &str) {
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_select_alone_reads_everything_and_writes_nothing() {
    let database = Database::new("reader_role").await;
    let (role, url) = reader(&database, "reader_role").await;
    let store = PostgresMetricStore::open(database.url()).await.expect("the store opens");
    let store = store.read_by(&url).expect("a valid URL");

    let refused = store.check_reader().await.expect_err("it may read nothing yet");
    assert_eq!((refused.kind(), refused.code()), (StoreErrorKind::Missing, Some("SQLSTATE 42501")));
    database.execute(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA $schema TO {role}")).await;
    store.check_reader().await.expect("now it may");

    store.append(&[sample(1), sample(2)]).await.expect("the writer writes");
    let kind = "test.done".parse().expect("valid");
    let event = Event::new(
        EventId::from_bits(7),
        at(1),
        kind,
        "it".parse().expect("valid"),
        ttm_kernel::Severity::Info,
        "{}".parse().expect("valid"),
    );
    store.events().append(&[event]).await.expect("the writer writes");
    let counts: u64 = store.range(&range()).await.expect("it reads").iter().map(|point| point.count).sum();
    assert_eq!(counts, 2);
    assert_eq!(store.series("test.", None, 10).await.expect("it reads"), [key()]);
    let asked = EventQuery::try_new(at(0), at(10), 10).expect("valid");
    assert_eq!(store.events().list(&asked).await.expect("it reads").events.len(), 1);

    // The same role in the writer's place.
    let forged = PostgresMetricStore::open(&url).await.expect("there is nothing to migrate");
    let refused = forged.append(&[sample(3)]).await;
    let code = refused.as_ref().err().and_then(StoreError::code);
    assert_eq!(code, Some("SQLSTATE 42501"), "{refused:?}");
    forged.close().await;
    store.close().await;
    drop_role(&database, &role).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_hang_keep_no_batch_waiting() {
    let database = Database::new("reader_hangs").await;
    let (role, url) = reader(&database, "reader_hangs").await;
    let store = PostgresMetricStore::open(database.url()).await.expect("the store opens");
    // What the reader takes for the samples, and what takes its time.
    let slow = format!("{role}_slow");
    database
        .execute(&format!(
            "CREATE SCHEMA {slow}; GRANT USAGE ON SCHEMA {slow} TO {role}; \
             CREATE VIEW {slow}.sample AS SELECT series_id, ts, value FROM $schema.sample, pg_sleep(30); \
             GRANT SELECT ON ALL TABLES IN SCHEMA {slow}, $schema TO {role}"
        ))
        .await;
    let url = url.replace("options[search_path]=", &format!("options[search_path]={slow},"));
    let store = store.read_by(&url).expect("a valid URL");
    store.append(&[sample(0)]).await.expect("append works");
    let asked = range();
    let query = || store.range(&asked);
    let queries = async { tokio::join!(query(), query(), query(), query(), query(), query()) };
    let batches = async {
        for second in 1..200 {
            store.append(&[sample(second)]).await.expect("a batch waits for no query");
        }
    };
    let (outcomes, ()) = tokio::join!(Box::pin(queries), batches);
    for each in [outcomes.0, outcomes.1, outcomes.2, outcomes.3, outcomes.4, outcomes.5] {
        let kind = each.as_ref().map_err(StoreError::kind);
        assert!(matches!(kind, Err(StoreErrorKind::Transient { .. })), "{each:?}");
    }
    store.close().await;
    database.execute(&format!("DROP SCHEMA {slow} CASCADE")).await;
    drop_role(&database, &role).await;
    database.drop_schema().await;
}
