//! The laws of the ledger on a file, and rows that no ledger can have written.

use std::path::Path;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::task::JoinSet;
use ttm_kernel::{Epoch, FencedBy, FencingToken, StoreError, StoreErrorKind};
use ttm_market::TokenStore;
use ttm_recovery::testing::conformance;
use ttm_recovery::{Entry, EntryKey, Fact, LEDGER_KEEPS, RecoveryLedger, Step};
use ttm_sqlite_state::SqliteTokenStore;

async fn open(file: &Path) -> SqliteTokenStore {
    SqliteTokenStore::open(file).await.expect("the store opens")
}

/// Runs statements over another connection.
async fn execute(file: &Path, statements: &str) {
    let mut other = SqliteConnectOptions::new().filename(file).connect().await.expect("the file opens");
    let statements = sqlx::AssertSqlSafe(statements.to_owned());
    sqlx::raw_sql(statements).execute(&mut other).await.expect("the test's own statements are valid");
    other.close().await.expect("the file closes");
}

/// A number that a statement asks for.
async fn ask(file: &Path, statement: &'static str) -> i64 {
    let mut other = SqliteConnectOptions::new().filename(file).connect().await.expect("the file opens");
    let answer = sqlx::query_scalar(statement).fetch_one(&mut other).await.expect("it answers");
    other.close().await.expect("the file closes");
    answer
}

async fn claim(store: &SqliteTokenStore) -> FencingToken {
    FencingToken::first(store.claim().await.expect("claim works"))
}

fn entry(epoch: Epoch, number: u64) -> Entry {
    let key = EntryKey { epoch, number };
    let fact = Fact::Step { step: Step::Graceful, charged: true };
    Entry { key, recovery: key, at: Timestamp::UNIX_EPOCH, subject: "hot group".to_owned(), fact }
}

async fn load(store: &SqliteTokenStore) -> Result<Vec<Entry>, StoreError> {
    store.recoveries().load(Timestamp::MIN, usize::MAX).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_sqlite_obeys_every_law() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    let tokens = open(&file).await;
    let claim = async || tokens.claim().await.expect("claim works");
    let open = async || Box::new(open(&file).await.recoveries()) as Box<dyn RecoveryLedger>;
    conformance::check(open, claim).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_ledger_is_migrated_and_keeps_its_fences() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    let first = claim(&store).await;
    let next = FencingToken::new(first.epoch(), first.incarnation().next());
    store.save(next, &[]).await.expect("save works");
    drop(store);
    let before = include_str!("../../../migrations/sqlite/state/0005_fences.sql");
    execute(
        &file,
        &format!(
            "CREATE TABLE kept AS SELECT * FROM fence; DROP TABLE fence; {before}; INSERT INTO fence SELECT * FROM kept; \
             DROP TABLE kept; DROP TABLE recovery; DROP TABLE recovery_set_aside; \
             DELETE FROM _ttm_state_migrations WHERE version = 6"
        ),
    )
    .await;
    let store = open(&file).await;
    let refused = store.save(first, &[]).await;
    let fenced = StoreErrorKind::Fenced { by: FencedBy::Incarnation };
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(fenced));
    store.save(next, &[]).await.expect("the newest token is still the newest");
    store
        .recoveries()
        .append(first, &[entry(first.epoch(), 0)])
        .await
        .expect("the ledger's own fence is new");
    assert_eq!(load(&store).await.expect("load answers").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_connections_the_older_one_appends_nothing_once_the_newer_one_has() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    let (older, newer) = (open(&file).await, open(&file).await);
    let old = claim(&older).await;
    let new = FencingToken::new(old.epoch(), old.incarnation().next());
    let mut both = JoinSet::new();
    for (store, under, first) in [(older, old, 0), (newer, new, 1_000)] {
        both.spawn(async move {
            let mut stored = 0;
            for number in first..first + 20 {
                let outcome = store.recoveries().append(under, &[entry(under.epoch(), number)]).await;
                match outcome.map_err(|error| error.kind()) {
                    Ok(()) => stored += 1,
                    Err(StoreErrorKind::Fenced { by: FencedBy::Incarnation }) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            (first, stored)
        });
    }
    let outcomes = both.join_all().await;
    let store = open(&file).await;
    let kept = load(&store).await.expect("load answers");
    for (first, stored) in outcomes {
        let own = |entry: &&Entry| (first..first + 20).contains(&entry.key.number);
        assert_eq!(
            kept.iter().filter(own).count(),
            stored,
            "what was acknowledged is there, and nothing else"
        );
        assert!(first == 0 || stored == 20, "the newer one is never refused");
    }
    let late = store.recoveries().append(old, &[]).await;
    assert!(late.is_err(), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_prunes_what_is_too_old() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    let under = claim(&store).await;
    let most = u64::try_from(LEDGER_KEEPS).expect("it fits");
    let entries: Vec<Entry> = (0..most).map(|number| entry(under.epoch(), number)).collect();
    let ledger = store.recoveries();
    ledger.append(under, &entries).await.expect("append works");
    let rows = "SELECT count(*) FROM recovery";
    assert_eq!(ask(&file, rows).await, 10_000);
    let next = claim(&store).await;
    ledger.append(next, &[entry(next.epoch(), 0), entry(next.epoch(), 1)]).await.expect("append works");
    assert_eq!(ask(&file, rows).await, 10_000);
    assert_eq!(ask(&file, "SELECT min(number) FROM recovery WHERE epoch = 1").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_ledger_can_have_written_is_unexpected_until_the_rows_are_set_aside() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    let under = claim(&store).await;
    let row = "epoch = 1, number = 3, began_epoch = 1, began_number = 3, made_at = 0, subject = 'hot group', kind = 'step', \
               cause = NULL, class = NULL, initiator = NULL, evidence = NULL, step = 'start', charged = 1, \
               dependency = NULL, outcome = NULL, took_us = NULL";
    store.recoveries().append(under, &[entry(under.epoch(), 3)]).await.expect("append works");
    for (change, why) in [
        ("kind = 'stumbled'", "the entry 1-3 has the unknown kind \"stumbled\""),
        ("step = 'hop'", "the entry 1-3 has the unknown step \"hop\""),
        ("step = NULL", "the entry 1-3 has no step"),
        ("charged = 2", "the entry 1-3 has the unknown charge 2"),
        ("charged = NULL", "the entry 1-3 has no charge"),
        ("kind = 'closed'", "the entry 1-3 has step, and is of the kind \"closed\", which has none"),
        ("kind = 'ended', step = NULL, charged = NULL", "the entry 1-3 has no outcome"),
        ("took_us = -1", "the entry 1-3 has a negative duration"),
        ("made_at = 9223372036854775807", "a time is out of range"),
        ("subject = ''", "the entry 1-3 has a subject that is not 1 to 64 bytes of printable ASCII"),
        ("number = -3", "an entry has the key -3"),
        ("began_number = 4", "the entry 1-3 has a recovery, 1-4, that began after it"),
        (
            "kind = 'began', step = NULL, charged = NULL, cause = 'x', class = 'system', initiator = 'service', \
             evidence = printf('%.*c', 16385, 'x')",
            "the entry 1-3 has evidence of 16385 bytes, and the longest one has 16384",
        ),
    ] {
        let unchecked = "PRAGMA ignore_check_constraints = 1; UPDATE recovery SET";
        execute(&file, &format!("{unchecked} {row}; {unchecked} {change}")).await;
        let refused = load(&store).await;
        let Err(error) = &refused else { panic!("{change}: {refused:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{error}");
        let message = error.said();
        assert!(message.ends_with(why), "{message}");
    }
    store.recoveries().set_aside(under).await.expect("it works whatever the rows are");
    assert_eq!(load(&store).await.expect("load answers"), []);
    let kept = "SELECT count(*) FROM recovery_set_aside WHERE kind = 'began' AND length(evidence) = 16385 \
                AND set_aside_at BETWEEN 1700000000000000 AND 9000000000000000";
    assert_eq!(ask(&file, kept).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_no_column_holds_is_rejected() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(&folder.path().join("ttm.db")).await;
    let under = claim(&store).await;
    let refused = store.recoveries().append(under, &[entry(under.epoch(), u64::MAX)]).await;
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Rejected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_can_be_retried() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    execute(&file, "DROP TABLE recovery").await;
    let refused = load(&store).await;
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Missing), "{refused:?}");
}
