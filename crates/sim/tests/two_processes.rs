//! Two service managers that run the service on one store: one process at a time works on it, whichever kind of lease
//! says so, and whatever happens to the other. Every run is done twice and must be the same twice.

use std::time::Duration;

use ttm_sim::world::LeaseKind;
use ttm_sim::{FaultSchedule, Outcome, Plan};

const HOUR: Duration = Duration::from_hours(1);
/// In debug one seed of each kind has to do.
const SEEDS: std::ops::Range<u64> = if cfg!(debug_assertions) { 1..3 } else { 1..13 };

/// Runs a scenario of an hour under each seed whose store has this kind of lease, and hands the outcomes on.
fn check(kind: LeaseKind, faults: &str) -> Vec<Outcome> {
    let faults: FaultSchedule = faults.parse().expect("a schedule");
    let seeds = SEEDS.filter(|seed| LeaseKind::of(*seed) == kind);
    seeds.map(|seed| Plan::new(seed, HOUR, faults.clone()).run_and_hold()).collect()
}

#[test]
fn a_second_process_is_refused_for_as_long_as_the_first_one_lives_and_nobody_notices() {
    for kind in [LeaseKind::LockFile, LeaseKind::Row] {
        for outcome in check(kind, "at 5m for 30m second-process") {
            assert_eq!((outcome.boots, outcome.takeovers), (1, 0), "{outcome}");
            assert!(outcome.refusals >= 180, "every ten seconds at least: {} of {outcome}", outcome.refusals);
            assert!(outcome.availability.share() >= 0.999, "{outcome}");
        }
    }
}

#[test]
fn a_frozen_process_keeps_its_lock_file_and_goes_on() {
    for outcome in check(LeaseKind::LockFile, "at 5m for 20m second-process; at 10m1s for 5m freeze") {
        assert_eq!((outcome.boots, outcome.takeovers), (1, 0), "{outcome}");
    }
}

#[test]
fn a_process_that_is_frozen_for_longer_than_its_row_lasts_is_superseded_and_stops_in_order() {
    for outcome in check(LeaseKind::Row, "at 5m for 20m second-process; at 10m1s for 5m freeze") {
        assert_eq!(outcome.takeovers, 1, "{outcome}");
    }
}

#[test]
fn a_frozen_process_whose_requests_fail_asks_nothing_more_once_it_was_superseded() {
    // What waits to be tried again does so when the process goes on: it is frozen at some time between two attempts.
    for after in (0..4_000).step_by(if cfg!(debug_assertions) { 800 } else { 200 }) {
        let freeze = 600_000 + after;
        let faults =
            format!("at 5m for 10m second-process; at 10m for 40s api-503; at {freeze}ms for 28s freeze");
        for outcome in check(LeaseKind::Row, &faults) {
            assert_eq!(outcome.takeovers, 1, "{outcome}");
        }
    }
}

#[test]
fn a_freeze_that_is_shorter_than_the_row_lasts_changes_nothing() {
    for outcome in check(LeaseKind::Row, "at 5m for 20m second-process; at 10m1s for 8s freeze") {
        assert_eq!(outcome.takeovers, 0, "{outcome}");
    }
}

#[test]
fn a_start_that_takes_long_keeps_the_lease_from_whoever_waits_for_it() {
    // The tokens are away from some step of the start on, for longer than the row lasts.
    for after in (10..60).step_by(if cfg!(debug_assertions) { 25 } else { 5 }) {
        let away = 620_000 + after;
        let faults =
            format!("at 10m for 20s kill; at {away}ms for 2m tokens-hang; at 10m22s for 10m second-process");
        for outcome in check(LeaseKind::Row, &faults) {
            assert_eq!(outcome.takeovers, 0, "{faults}: {outcome}");
        }
    }
}

#[test]
fn a_killed_process_is_followed_by_whichever_is_there_first() {
    for kind in [LeaseKind::LockFile, LeaseKind::Row] {
        for outcome in
            check(kind, "at 5m for 30m second-process; at 10m3s for 40s kill; at 20m3s for 40s terminate")
        {
            assert!(outcome.takeovers >= 1, "{outcome}");
        }
    }
}

#[test]
fn two_processes_that_wait_for_the_same_store_agree_on_one_when_it_is_back() {
    for fault in ["store-gone", "store-hang", "lease-gone", "store-lost-acks", "lease-hang"] {
        check(LeaseKind::Row, &format!("at 5m for 30m second-process; at 10m for 10m {fault}"));
    }
}

#[test]
fn a_superseded_process_that_is_frozen_again_and_again_overwrites_nothing() {
    let freezes: Vec<String> = (0..8).map(|i| format!("at {}s for 40s freeze", 600 + 97 * i)).collect();
    for outcome in check(LeaseKind::Row, &format!("at 5m for 30m second-process; {}", freezes.join("; "))) {
        assert!(outcome.takeovers >= 4, "{outcome}");
    }
}
