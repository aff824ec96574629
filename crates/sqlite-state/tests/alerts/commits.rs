//! The laws of the store of alerts on a file, and what a crash leaves of a commit.

use std::fs;
use std::path::Path;
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
use ttm_recovery::RecoveryLedger;
use ttm_sqlite_state::SqliteTokenStore;

use super::example::{ask, claim, commit, execute, folder, load, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_sqlite_obeys_every_law() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let tokens = open(&file).await;
    let claim = async || tokens.claim().await.expect("claim works");
    let open = async || Box::new(open(&file).await.alerts()) as Box<dyn AlertStore>;
    conformance::check(open, claim).await;
}

#[test]
fn any_commits_come_to_what_a_store_in_memory_has() {
    let (folder, runtime) = (folder(), Runtime::new().expect("a runtime"));
    let file = folder.path().join("ttm.db");
    let store = runtime.block_on(open(&file));
    let everything = "DELETE FROM alert; DELETE FROM alert_message; DELETE FROM alert_dead_letter; \
                      DELETE FROM alert_receipt; DELETE FROM alert_quiet";
    let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    let done = runner.run(&prop::collection::vec(any_commit(), 1..5), |commits| {
        runtime.block_on(async {
            execute(&file, everything).await;
            check_commits(&store.alerts(), claim(&store).await, &commits).await;
            Ok(())
        })
    });
    done.expect("store and memory agree");
}

/// Writes nothing as each of the other writers, whose fences are their own.
async fn write_as_all_others(store: &SqliteTokenStore, under: FencingToken) {
    store.save(under, &[]).await.expect("save works");
    store.breakers().save(under, &[]).await.expect("save works");
    store.recoveries().append(under, &[]).await.expect("append works");
    store.follow(under, Origin::new("file"), &[], AT).await.expect("follow works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_alerts_is_migrated_and_keeps_its_fences() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    let first = claim(&store).await;
    let next = FencingToken::new(first.epoch(), first.incarnation().next());
    write_as_all_others(&store, next).await;
    drop(store);
    execute(
        &file,
        "CREATE TABLE kept AS SELECT * FROM fence; DROP TABLE fence; \
         CREATE TABLE fence (writer TEXT NOT NULL PRIMARY KEY CHECK (writer <> 'alerts'), epoch INTEGER NOT NULL, \
         incarnation INTEGER NOT NULL) STRICT, WITHOUT ROWID; INSERT INTO fence SELECT * FROM kept; DROP TABLE kept; \
         DROP TABLE alert; DROP TABLE alert_message; DROP TABLE alert_dead_letter; DROP TABLE alert_receipt; \
         DROP TABLE alert_quiet; DELETE FROM _ttm_state_migrations WHERE version = 8",
    )
    .await;
    let store = open(&file).await;
    let refused = store.save(first, &[]).await;
    let fenced = StoreErrorKind::Fenced { by: FencedBy::Incarnation };
    assert_eq!(refused.as_ref().map_err(StoreError::kind), Err(fenced));
    write_as_all_others(&store, next).await;
    commit(&store, first, &one_of_each(1)).await;
    assert_eq!(tries(&store.alerts()).await, [Some(1); 5], "the alerts' own fence is new");
    let third = FencingToken::new(first.epoch(), next.incarnation().next());
    commit(&store, third, &one_of_each(2)).await;
    write_as_all_others(&store, next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_connections_the_older_one_commits_nothing_once_the_newer_one_has() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let (older, newer) = (open(&file).await, open(&file).await);
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
    let store = open(&file).await;
    let kept = load(&store).await.records;
    for (first, stored) in outcomes {
        let own = alert(first)..alert(first + 20);
        let there = kept.iter().filter(|record| own.contains(&record.key)).count();
        assert_eq!(there, stored, "what was acknowledged is there, and nothing else");
        assert!(first == 0 || stored == 20, "the newer one is never refused");
    }
    let late = store.alerts().commit(old, &Commit::default()).await;
    assert!(late.is_err(), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_dropped_anywhere_stores_all_or_nothing() {
    let folder = folder();
    let store = open(&folder.path().join("ttm.db")).await;
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_of_one_moment() {
    let folder = folder();
    let store = open(&folder.path().join("ttm.db")).await;
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
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_the_files_that_a_crash_leaves() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
    let under = claim(&store).await;
    for attempt in 1..5 {
        commit(&store, under, &one_of_each(attempt)).await;
        // The process has not closed anything: what is in the files now is all that there is.
        let crashed = folder.path().join(format!("crashed-{attempt}.db"));
        for end in ["", "-wal"] {
            let name = |path: &Path| format!("{}{end}", path.display());
            fs::copy(name(&file), name(&crashed)).expect("it is copied");
        }
        assert_eq!(tries(&open(&crashed).await.alerts()).await, [Some(attempt); 5]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_statement_takes_is_stored_and_forgotten_in_one_commit() {
    let folder = folder();
    let file = folder.path().join("ttm.db");
    let store = open(&file).await;
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
    assert_eq!(ask(&file, "SELECT count(*) FROM alert_receipt").await, 1_000);
    assert_eq!(ask(&file, "SELECT count(*) FROM alert_dead_letter").await, 1_000);
}
