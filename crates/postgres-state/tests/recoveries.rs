//! The laws of the ledger on a server, and rows that no ledger can have written.

use jiff::Timestamp;
use tokio::task::JoinSet;
use ttm_kernel::{Epoch, FencedBy, FencingToken, StoreError, StoreErrorKind};
use ttm_market::TokenStore;
use ttm_postgres_state::PostgresTokenStore;
use ttm_recovery::testing::conformance;
use ttm_recovery::{Entry, EntryKey, Fact, LEDGER_KEEPS, RecoveryLedger, Step};
use ttm_sqlx_pool::postgres::testing::Database;

async fn open(database: &Database) -> PostgresTokenStore {
    PostgresTokenStore::open(database.url()).await.expect("the store opens")
}

/// A number that a statement asks for.
async fn ask(database: &Database, statement: &'static str) -> i64 {
    let mut tx = database.begin_with("SET LOCAL search_path TO $schema").await;
    sqlx::query_scalar(statement).fetch_one(&mut *tx).await.expect("it answers")
}

async fn claim(store: &PostgresTokenStore) -> FencingToken {
    FencingToken::first(store.claim().await.expect("claim works"))
}

fn entry(epoch: Epoch, number: u64) -> Entry {
    let key = EntryKey { epoch, number };
    let fact = Fact::Step { step: Step::Graceful, charged: true };
    Entry { key, recovery: key, at: Timestamp::UNIX_EPOCH, subject: "hot group".to_owned(), fact }
}

async fn load(store: &PostgresTokenStore) -> Result<Vec<Entry>, StoreError> {
    store.recoveries().load(Timestamp::MIN, usize::MAX).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_postgres_obeys_every_law() {
    let database = Database::new("recoveries_conformance").await;
    let tokens = open(&database).await;
    let claim = async || tokens.claim().await.expect("claim works");
    let open = async || Box::new(open(&database).await.recoveries()) as Box<dyn RecoveryLedger>;
    conformance::check(open, claim).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_ledger_is_migrated_and_keeps_its_fences() {
    let database = Database::new("recoveries_migrated").await;
    let store = open(&database).await;
    let first = claim(&store).await;
    let next = FencingToken::new(first.epoch(), first.incarnation().next());
    store.save(next, &[]).await.expect("save works");
    database
        .execute(
            "DROP TABLE $schema.recovery, $schema.recovery_set_aside; \
             ALTER TABLE $schema.fence DROP CONSTRAINT fence_writer_check, \
             ADD CHECK (writer IN ('tokens', 'listings', 'breakers')); \
             DELETE FROM $schema._ttm_state_migrations WHERE version = 6",
        )
        .await;
    let store = open(&database).await;
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
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_connections_the_older_one_appends_nothing_once_the_newer_one_has() {
    let database = Database::new("recoveries_two").await;
    let (older, newer) = (open(&database).await, open(&database).await);
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
    let store = open(&database).await;
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
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_prunes_what_is_too_old() {
    let database = Database::new("recoveries_prune").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    let most = u64::try_from(LEDGER_KEEPS).expect("it fits");
    let entries: Vec<Entry> = (0..most).map(|number| entry(under.epoch(), number)).collect();
    let ledger = store.recoveries();
    ledger.append(under, &entries).await.expect("append works");
    let rows = "SELECT count(*) FROM recovery";
    assert_eq!(ask(&database, rows).await, 10_000);
    let next = claim(&store).await;
    ledger.append(next, &[entry(next.epoch(), 0), entry(next.epoch(), 1)]).await.expect("append works");
    assert_eq!(ask(&database, rows).await, 10_000);
    assert_eq!(ask(&database, "SELECT min(number) FROM recovery WHERE epoch = 1").await, 2);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_ledger_can_have_written_is_unexpected_until_the_rows_are_set_aside() {
    let database = Database::new("recoveries_corrupt").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    let row = "epoch = 1, number = 3, began_epoch = 1, began_number = 3, made_at = now(), subject = 'hot group', \
               kind = 'step', cause = NULL, class = NULL, initiator = NULL, evidence = NULL, step = 'start', \
               charged = true, dependency = NULL, outcome = NULL, took_us = NULL";
    store.recoveries().append(under, &[entry(under.epoch(), 3)]).await.expect("append works");
    for constraint in ["number", "subject", "evidence", "kind", "step", "took_us"] {
        let statement = format!("ALTER TABLE $schema.recovery DROP CONSTRAINT recovery_{constraint}_check");
        database.execute(&statement).await;
    }
    database.execute("ALTER TABLE $schema.recovery DROP CONSTRAINT began_before").await;
    for (change, why) in [
        ("kind = 'stumbled'", "the entry 1-3 has the unknown kind \"stumbled\""),
        ("step = 'hop'", "the entry 1-3 has the unknown step \"hop\""),
        ("step = NULL", "the entry 1-3 has no step"),
        ("charged = NULL", "the entry 1-3 has no charge"),
        ("kind = 'closed'", "the entry 1-3 has step, and is of the kind \"closed\", which has none"),
        ("kind = 'ended', step = NULL, charged = NULL", "the entry 1-3 has no outcome"),
        ("took_us = -1", "the entry 1-3 has a negative duration"),
        ("subject = ''", "the entry 1-3 has a subject that is not 1 to 64 bytes of printable ASCII"),
        ("number = -3", "an entry has the key -3"),
        ("began_number = 4", "the entry 1-3 has a recovery, 1-4, that began after it"),
        (
            "kind = 'began', step = NULL, charged = NULL, cause = 'x', class = 'system', initiator = 'service', \
             evidence = repeat('x', 16385)",
            "the entry 1-3 has evidence of 16385 bytes, and the longest one has 16384",
        ),
    ] {
        database.execute(&format!("UPDATE $schema.recovery SET {row}")).await;
        database.execute(&format!("UPDATE $schema.recovery SET {change}")).await;
        let refused = load(&store).await;
        let Err(error) = &refused else { panic!("{change}: {refused:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{error}");
        let message = error.said();
        assert!(message.ends_with(why), "{message}");
    }
    store.recoveries().set_aside(under).await.expect("it works whatever the rows are");
    assert_eq!(load(&store).await.expect("load answers"), []);
    let kept = "SELECT count(*) FROM recovery_set_aside WHERE kind = 'began' AND length(evidence) = 16385 \
                AND set_aside_at BETWEEN now() - interval '1 hour' AND now()";
    assert_eq!(ask(&database, kept).await, 1);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_no_column_holds_and_a_time_before_all_others_are_rejected() {
    let database = Database::new("recoveries_rejected").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    let early = Entry { at: Timestamp::MIN, ..entry(under.epoch(), 0) };
    for refused in [entry(under.epoch(), u64::MAX), early] {
        let outcome = store.recoveries().append(under, &[entry(under.epoch(), 1), refused]).await;
        assert_eq!(outcome.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Rejected), "{outcome:?}");
    }
    assert_eq!(load(&store).await.expect("load answers"), []);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_and_a_missing_table_are_told_apart() {
    let database = Database::new("recoveries_locked").await;
    let store = open(&database).await;
    let lock = database.begin_with("LOCK TABLE $schema.recovery").await;
    let locked = load(&store).await;
    lock.rollback().await.expect("the lock is given back");
    assert!(
        matches!(locked.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Transient { .. })),
        "{locked:?}"
    );
    database.execute("DROP TABLE $schema.recovery").await;
    let gone = load(&store).await;
    assert_eq!(gone.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Missing), "{gone:?}");
    database.drop_schema().await;
}
