//! Two service managers that run the service on one store: one process at a time works on it, with either kind of
//! lease, and whatever happens to the other. Every plan runs twice, and both runs must be equal.

use std::time::Duration;

use ttm_sim::world::LeaseKind;
use ttm_sim::{FaultSchedule, Outcome, Plan};

const HOUR: Duration = Duration::from_hours(1);
/// Debug builds run one seed of each kind.
const SEEDS: std::ops::Range<u64> = if cfg!(debug_assertions) { 1..3 } else { 1..13 };

/// Runs a scenario of an hour under each seed whose store has this kind of lease, and returns the outcomes.
fn check(kind: LeaseKind, faults: &str) -> Vec<Outcome> {
    let faults: FaultSchedule = faults.parse().expect("a schedule");
    let seeds = SEEDS.filter(|seed| LeaseKind::of(*seed) == kind);
    seeds.map(|seed| Plan::new(seed, HOUR, faults.clone()).run_and_check()).collect()
}

#[test]
fn a_second_process_is_refused_while_the_first_one_lives_and_disturbs_nothing() {
    for kind in [LeaseKind::LockFile, LeaseKind::Row] {
        for outcome in check(kind, "at 5m for 30m second-process") {
            assert_eq!((outcome.boots, outcome.takeovers), (1, 0), "{outcome}");
            assert!(
                outcome.refusals >= 180,
                "at least one every ten seconds: {} in {outcome}",
                outcome.refusals
            );
            assert!(outcome.availability.share() >= 0.999, "{outcome}");
        }
    }
}

#[test]
fn a_frozen_process_keeps_its_lock_file_and_continues() {
    for outcome in check(LeaseKind::LockFile, "at 5m for 20m second-process; at 10m1s for 5m freeze") {
        assert_eq!((outcome.boots, outcome.takeovers), (1, 0), "{outcome}");
    }
}

#[test]
fn a_process_that_is_frozen_past_the_expiry_of_its_row_is_superseded_and_stops_in_order() {
    for outcome in check(LeaseKind::Row, "at 5m for 20m second-process; at 10m1s for 5m freeze") {
        assert_eq!(outcome.takeovers, 1, "{outcome}");
    }
}

#[test]
fn a_superseded_process_whose_requests_fail_does_not_retry_them() {
    // A pending retry is due when the process resumes: it is frozen at various times between two attempts.
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
fn a_freeze_that_ends_before_the_row_expires_changes_nothing() {
    for outcome in check(LeaseKind::Row, "at 5m for 20m second-process; at 10m1s for 8s freeze") {
        assert_eq!(outcome.takeovers, 0, "{outcome}");
    }
}

#[test]
fn a_slow_start_keeps_the_lease_from_a_waiting_process() {
    // The tokens are unavailable from some step of the start on, past the expiry of the row.
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
fn a_killed_process_is_succeeded_by_the_first_one_to_take_the_lease() {
    for kind in [LeaseKind::LockFile, LeaseKind::Row] {
        for outcome in
            check(kind, "at 5m for 30m second-process; at 10m3s for 40s kill; at 20m3s for 40s terminate")
        {
            assert!(outcome.takeovers >= 1, "{outcome}");
        }
    }
}

#[test]
fn of_two_processes_that_wait_for_the_store_one_gets_it_when_it_is_back() {
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

#[test]
fn a_process_whose_keeper_of_the_lease_hangs_learns_of_its_successor_from_the_ledger() {
    let faults = "at 30m for 21s part-hangs=lease-keeper; at 30m22s for 20m second-process";
    for outcome in check(LeaseKind::Row, faults) {
        assert!(outcome.takeovers >= 1, "{outcome}");
    }
}
