//! The laws of the store of alerts on a server, and what becomes of a commit that ends half way.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use ttm_alert::testing::small::{
    AT, alert, check_commits, letter, loaded_tries, one_of_each, receipt, record, row, tries,
};
use ttm_alert::testing::{any_commit, conformance};
use ttm_alert::{AlertStore, Commit, DEAD_LETTERS_KEPT, RECEIPTS_KEPT};
use ttm_breaker::BreakerStore;
use ttm_kernel::testing::cancelled_after;
use ttm_kernel::{FencedBy, FencingToken, StoreError, StoreErrorKind};
use ttm_market::{Origin, TokenStore};
use ttm_postgres_state::PostgresTokenStore;
use ttm_recovery::RecoveryLedger;
use ttm_sqlx_pool::postgres::testing::Database;

use super::example::{ask, claim, commit, load, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_postgres_obeys_every_law() {
    let database = Database::new("alerts_conformance").await;
    let tokens = open(&database).await;
    let claim = async || tokens.claim().await.expect("claim works");
    let open = async || Box::new(open(&database).await.alerts()) as Box<dyn AlertStore>;
    conformance::check(open, claim).await;
    database.drop_schema().await;
}

#[test]
fn any_commits_come_to_what_a_store_in_memory_has() {
    let runtime = Runtime::new().expect("a runtime");
    let database = runtime.block_on(Database::new("alerts_any"));
    let store = runtime.block_on(open(&database));
    let everything = "DELETE FROM $schema.alert; DELETE FROM $schema.alert_message; \
                      DELETE FROM $schema.alert_dead_letter; DELETE FROM $schema.alert_receipt; \
                      DELETE FROM $schema.alert_quiet";
    let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    let done = runner.run(&prop::collection::vec(any_commit(), 1..5), |commits| {
        runtime.block_on(async {
            database.execute(everything).await;
            check_commits(&store.alerts(), claim(&store).await, &commits).await;
            Ok(())
        })
    });
    done.expect("store and memory agree");
    runtime.block_on(database.drop_schema());
}

/// Writes nothing as each of the other writers, whose fences are their own.
async fn write_as_all_others(store: &PostgresTokenStore, under: FencingToken) {
    store.save(under, &[]).await.expect("save works");
    store.breakers().save(under, &[]).await.expect("save works");
    store.recoveries().append(under, &[]).await.expect("append works");
    store.follow(under, Origin::new("file"), &[], AT).await.expect("follow works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_alerts_is_migrated_and_keeps_its_fences() {
    let database = Database::new("alerts_migrated").await;
    let store = open(&database).await;
    let first = claim(&store).await;
    let next = FencingToken::new(first.epoch(), first.incarnation().next());
    write_as_all_others(&store, next).await;
    drop(store);
    database
        .execute(
            "DROP TABLE $schema.alert, $schema.alert_message, $schema.alert_dead_letter, $schema.alert_receipt, \
             $schema.alert_quiet; ALTER TABLE $schema.fence DROP CONSTRAINT fence_writer_check, \
             ADD CHECK (writer IN ('tokens', 'listings', 'breakers', 'recoveries')); \
             DELETE FROM $schema._ttm_state_migrations WHERE version = 8",
        )
        .await;
    let store = open(&database).await;
    let refused = store.save(first, &[]).await;
    let fenced = StoreErrorKind::Fenced { by: FencedBy::Incarnation };
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(fenced));
    write_as_all_others(&store, next).await;
    commit(&store, first, &one_of_each(1)).await;
    assert_eq!(tries(&store.alerts()).await, [Some(1); 5], "the alerts' own fence is new");
    let third = FencingToken::new(first.epoch(), next.incarnation().next());
    commit(&store, third, &one_of_each(2)).await;
    write_as_all_others(&store, next).await;
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_connections_the_older_one_commits_nothing_once_the_newer_one_has() {
    let database = Database::new("alerts_two").await;
    let (older, newer) = (open(&database).await, open(&database).await);
    let old = claim(&older).await;
    let new = FencingToken::new(old.epoch(), old.incarnation().next());
    let mut both = JoinSet::new();
    for (store, under, first) in [(older, old, 0), (newer, new, 1_000)] {
        both.spawn(async move {
            let mut stored = 0;
            for number in first..first + 20 {
                let next = Commit { records: vec![record(number, false)], ..Commit::default() };
                let outcome = store.alerts().commit(under, &next).await;
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
    let kept = load(&store).await.records;
    for (first, stored) in outcomes {
        let own = alert(first)..alert(first + 20);
        let there = kept.iter().filter(|record| own.contains(&record.key)).count();
        assert_eq!(there, stored, "what was acknowledged is there, and nothing else");
        assert!(first == 0 || stored == 20, "the newer one is never refused");
    }
    let late = store.alerts().commit(old, &Commit::default()).await;
    assert!(late.is_err(), "{late:?}");
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_dropped_anywhere_stores_all_or_nothing() {
    let database = Database::new("alerts_dropped").await;
    let store = open(&database).await;
    for (polls, attempt) in (1..).zip(1..) {
        let under = claim(&store).await;
        let next = one_of_each(attempt);
        let done = cancelled_after(polls, store.alerts().commit(under, &next)).await;
        // Waits for what is left behind: a commit may succeed after nobody waits for it any more.
        claim(&store).await;
        let there = tries(&store.alerts()).await;
        assert!(there.iter().all(|each| *each == there[0]), "after {polls} polls: {there:?}");
        if let Some(done) = done {
            done.expect("commit works");
            assert_eq!(there, [Some(attempt); 5]);
            break;
        }
    }
    assert!(database.has_no_open_transaction().await);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_of_one_moment() {
    let database = Database::new("alerts_moment").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    commit(&store, under, &one_of_each(1)).await;
    let mut commits = JoinSet::new();
    let writer = store.clone();
    commits.spawn(async move {
        for attempt in 2..100 {
            commit(&writer, under, &one_of_each(attempt)).await;
        }
    });
    while commits.try_join_next().is_none() {
        let there = loaded_tries(&load(&store).await);
        assert!(there.iter().all(|each| *each == there[0]), "{there:?}");
    }
    assert_eq!(tries(&store.alerts()).await, [Some(99); 5]);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_session_dies_half_way_stores_nothing() {
    let database = Database::new("alerts_killed").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    commit(&store, under, &one_of_each(1)).await;
    // Everything but the silences is written when the commit comes to this lock.
    let lock = "SET LOCAL search_path TO $schema; LOCK TABLE alert_quiet IN EXCLUSIVE MODE";
    let mut lock = database.begin_with(lock).await;
    let mut commits = JoinSet::new();
    let alerts = store.alerts();
    commits.spawn(async move { alerts.commit(under, &one_of_each(2)).await });
    // The server pauses between two looks.
    let end_it = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks, pg_sleep(0.005) WHERE NOT granted \
                  AND relation = 'alert_quiet'::regclass";
    while sqlx::query_scalar::<_, i64>(end_it).fetch_one(&mut *lock).await.expect("it answers") == 0 {
        let early = commits.try_join_next();
        assert!(early.is_none(), "it does not wait: {early:?}");
    }
    lock.rollback().await.expect("the lock is given back");
    let outcome = commits.join_next().await.expect("it was started").expect("it does not panic");
    assert!(
        matches!(outcome.as_ref().map_err(StoreError::kind), Err(StoreErrorKind::Transient { .. })),
        "{outcome:?}"
    );
    assert_eq!(tries(&store.alerts()).await, [Some(1); 5]);
    commit(&store, under, &one_of_each(2)).await;
    assert_eq!(tries(&store.alerts()).await, [Some(2); 5]);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_statement_takes_is_stored_and_forgotten_in_one_commit() {
    let database = Database::new("alerts_large").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    let numbers = 0..2_500;
    let mut large = row(3_000, 1);
    let (_, episode, said) = large.covers[0].clone();
    large.covers = Arc::new((0..20_000).map(|number| (alert(number), episode, said)).collect());
    let mut rows: Vec<_> = numbers.clone().map(|number| row(number, 1)).collect();
    rows.push(large);
    let all = Commit {
        records: numbers.clone().map(|number| record(number, false)).collect(),
        rows,
        receipts: numbers.clone().map(|number| receipt(number, 1)).collect(),
        dead: numbers.clone().map(|number| letter(10_000 + number, 1)).collect(),
        ..Commit::default()
    };
    commit(&store, under, &all).await;
    let loaded = load(&store).await;
    assert_eq!(loaded.records, all.records);
    assert_eq!(loaded.rows, all.rows);
    assert_eq!(loaded.receipts, all.receipts[2_500 - RECEIPTS_KEPT..]);
    let letters = store.alerts().dead_letters(usize::MAX).await.expect("dead_letters answers");
    assert_eq!(letters, all.dead[2_500 - DEAD_LETTERS_KEPT..]);
    let gone = Commit {
        forgotten: numbers.clone().map(alert).collect(),
        settled: all.rows.iter().map(|row| row.key.clone()).collect(),
        receipts: vec![receipt(0, 2)],
        dead: vec![letter(0, 1)],
        ..Commit::default()
    };
    commit(&store, under, &gone).await;
    let loaded = load(&store).await;
    assert_eq!((loaded.records.len(), loaded.rows.len()), (0, 0));
    assert_eq!(loaded.receipts.last(), Some(&receipt(0, 2)));
    assert_eq!(ask(&database, "SELECT count(*) FROM alert_receipt").await, 1_000);
    assert_eq!(ask(&database, "SELECT count(*) FROM alert_dead_letter").await, 1_000);
    database.drop_schema().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_given_up_is_over_before_the_next_one() {
    let database = Database::new("alerts_turns").await;
    let store = open(&database).await;
    let under = claim(&store).await;
    commit(&store, under, &Commit::default()).await;
    let lock = "SET LOCAL search_path TO $schema; LOCK TABLE alert_receipt IN EXCLUSIVE MODE";
    let lock = database.begin_with(lock).await;
    let spawn = |commits: &mut JoinSet<()>, commit: Commit| {
        let alerts = store.alerts();
        commits.spawn(async move { alerts.commit(under, &commit).await.expect("commit works") });
    };
    let silences = one_of_each(1).quiets;
    let ended = silences.iter().map(|(id, _)| *id).collect();
    let (mut first, mut second) = (JoinSet::new(), JoinSet::new());
    spawn(&mut first, Commit { quiets: silences, receipts: vec![receipt(1, 1)], ..Commit::default() });
    let waiting = "SELECT count(*) FROM pg_locks, pg_sleep(0.005) WHERE NOT granted \
                   AND pid IN (SELECT pid FROM pg_stat_activity WHERE application_name = current_schema())";
    while ask(&database, waiting).await < 1 {}
    spawn(&mut second, Commit { ended_quiets: ended, ..Commit::default() });
    while ask(&database, waiting).await < 2 && second.try_join_next().is_none() {}
    lock.rollback().await.expect("it ends");
    first.join_all().await;
    second.join_all().await;
    assert_eq!(load(&store).await.quiets, [], "they have ended");
    database.drop_schema().await;
}
