//! What is said of the store: each use by itself, and never more than is true of it.

use std::time::Duration;

use jiff::Timestamp;
use ttm_health::testing::healthy_facts;
use ttm_health::{Facts, Report, Status, StoreCall, StoreUseFacts, Thresholds, assess};

fn report(change: impl FnOnce(&mut Facts)) -> Report {
    let mut facts = healthy_facts();
    change(&mut facts);
    assess(&facts, &Thresholds::default())
}

fn down(seconds: u64) -> StoreUseFacts {
    StoreUseFacts {
        name: "token writes".to_owned(),
        answers: Some(false),
        down_since: Some(Timestamp::UNIX_EPOCH),
        down_for: Some(Duration::from_secs(seconds)),
        last_error: Some("connection refused".to_owned()),
        ..StoreUseFacts::default()
    }
}

#[test]
fn an_unavailable_store_is_degraded_and_ready_while_what_waits_fits() {
    let after = |seconds| report(|facts| facts.store.uses[0] = down(seconds));
    assert_eq!((after(4).status, after(4).ready), (Status::Healthy, true), "one attempt that failed");
    for seconds in [5, 75, 400_000] {
        assert_eq!(
            (after(seconds).status, after(seconds).store.status),
            (Status::Degraded, Status::Degraded)
        );
        assert!(after(seconds).live && after(seconds).ready);
    }
    assert_eq!(after(75).reasons(), ["token writes: failing for 1m 15s: connection refused"]);
    assert_eq!(after(75).store.last_error.as_deref(), Some("connection refused"));
}

#[test]
fn where_the_stores_are_in_two_databases_each_use_names_its_own() {
    let history = Some("postgres://db:5432/history".to_owned());
    let report = report(|facts| {
        let samples = StoreUseFacts { name: "samples".to_owned(), database: history.clone(), ..down(75) };
        facts.store.uses.push(samples);
    });
    assert_eq!(
        report.reasons(),
        ["samples in postgres://db:5432/history: failing for 1m 15s: connection refused"]
    );
    let shown: Vec<_> = report.store.uses.iter().map(|each| (&*each.name, each.database.clone())).collect();
    assert_eq!(shown.last(), Some(&("samples", history)));
}

#[test]
fn refused_credentials_are_critical_at_once_and_ready_while_what_waits_fits() {
    let refused = StoreUseFacts { call: Some(StoreCall::Unauthenticated), ..down(4) };
    let report = report(|facts| facts.store.uses[0] = refused.clone());
    assert_eq!((report.status, report.store.status), (Status::Critical, Status::Critical));
    assert!(report.live && report.ready);
    let reason = "token writes: the credentials are refused for 4s; give its user the right password, or the right to \
        log in, again: connection refused";
    assert_eq!(report.reasons(), [reason]);
}

#[test]
fn a_lease_that_needs_an_operator_is_critical_and_one_whose_store_is_unavailable_is_not() {
    let lease = |is_unguarded: bool, seconds| {
        let call = is_unguarded.then_some(StoreCall::Unguarded);
        let lease = StoreUseFacts { name: "lease".to_owned(), call, ..down(seconds) };
        report(|facts| facts.store.uses.push(lease))
    };
    assert_eq!(lease(false, 60).status, Status::Degraded, "no other process can take an unavailable store");
    assert_eq!(lease(true, 4).status, Status::Healthy, "the next attempt may find it mended");
    let lost = lease(true, 60);
    assert_eq!((lost.status, lost.live, lost.ready), (Status::Critical, true, true));
    assert_eq!(
        lost.reasons(),
        ["lease: cannot be renewed for 1m before an operator has repaired it: connection refused"]
    );
}

#[test]
fn a_store_that_answers_does_not_hide_one_that_does_not() {
    let report = report(|facts| facts.store.uses.push(down(60)));
    let statuses: Vec<Status> = report.store.uses.iter().map(|each| each.status).collect();
    assert_eq!(statuses, [Status::Healthy, Status::Healthy, Status::Degraded]);
    assert_eq!(report.status, Status::Degraded);
}

#[test]
fn a_writer_that_gave_up_or_loses_data_is_critical_and_not_ready_but_live() {
    for (change, reason) in [
        (
            StoreUseFacts { gave_up: true, ..down(60) },
            "token writes: given up until an operator has repaired the store and restarted this process: connection refused",
        ),
        (
            StoreUseFacts { losing: true, ..down(60) },
            "token writes: data is being lost: more waits than fits, or the store refuses it: connection refused",
        ),
    ] {
        let report = report(|facts| facts.store.uses[0] = change);
        assert_eq!((report.status, report.store.status), (Status::Critical, Status::Critical));
        assert!(report.live && !report.ready);
        assert_eq!(report.reasons(), [reason]);
    }
}
