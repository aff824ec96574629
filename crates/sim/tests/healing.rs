//! Self-healing under faults inside the process: what gets stuck is restarted in time, what a restart cannot help is left alone, and
//! whatever happens is in the ledger. Every plan runs twice, and both runs must be equal.

use std::time::Duration;

use ttm_sim::world::LeaseKind;
use ttm_sim::{FaultSchedule, Outcome, Plan, SLOT};

/// How the ledger says that a group is left alone because the API is away.
const BLAMED: &str = "restart withheld: dexscreener";
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// One seed with a watchdog and one without; debug builds run one.
const SEEDS: &[u64] = if cfg!(debug_assertions) { &[2] } else { &[2, 3] };
/// Seeds whose lease is a row, which expires.
const ROWS: &[u64] = if cfg!(debug_assertions) { &[3] } else { &[3, 5] };

fn run(seed: u64, lasts: Duration, faults: &str) -> Outcome {
    let faults: FaultSchedule = faults.parse().expect("a schedule");
    Plan::new(seed, lasts, faults).run_and_check()
}

/// Runs a scenario of an hour and a half under each seed, and checks every promise, how long readers notice anything, and how
/// often the process boots.
fn check(faults: &str, down: Duration, boots: u32) -> Vec<Outcome> {
    let check = |seed| {
        let outcome = run(seed, 90 * MINUTE, faults);
        let longest = outcome.availability.longest_down(SLOT);
        assert!(longest <= down, "{longest:?}: {outcome}");
        assert_eq!(outcome.boots, boots, "{outcome}");
        assert!(outcome.restarts > 0, "{outcome}");
        outcome
    };
    SEEDS.iter().map(|seed| check(*seed)).collect()
}

fn did(outcome: &Outcome, words: &str) -> bool {
    outcome.recoveries.iter().any(|line| line.contains(words))
}

/// The same, of what was done after this.
fn did_after(outcome: &Outcome, after: Duration, words: &str) -> bool {
    let made = |line: &&String| {
        let seconds = line.strip_prefix('+')?.split_once("s ")?.0.parse().ok()?;
        Some(after < Duration::from_secs_f64(seconds))
    };
    // What was done in the first second has another unit.
    let mut later = outcome.recoveries.iter().filter(|line| made(line).unwrap_or(false));
    later.any(|line| line.contains(words))
}

#[test]
fn one_group_that_is_stuck_is_restarted_alone() {
    for outcome in check("at 30m for 15s requests-hang=hot", 3 * MINUTE, 1) {
        assert!(did(&outcome, "hot-group graceful, charged: true"), "{:#?}", outcome.recoveries);
    }
}

#[test]
fn a_request_that_hangs_while_its_group_gets_on_is_asked_again() {
    for seed in SEEDS {
        let plan = Plan {
            tokens: 200,
            ..Plan::new(*seed, HOUR, "at 30m for 400ms requests-hang=hot".parse().expect("a schedule"))
        };
        let outcome = plan.run_and_check();
        let longest = outcome.availability.longest_down(SLOT);
        assert!(Duration::ZERO < longest && longest <= 2 * MINUTE, "{longest:?}: {outcome}");
        assert_eq!(outcome.restarts, 0, "{:#?}", outcome.recoveries);
    }
}

#[test]
fn work_that_waits_for_the_lease_is_not_restarted_and_blames_nothing_else() {
    for seed in ROWS {
        assert_eq!(LeaseKind::of(*seed), LeaseKind::Row, "another kind of lease does not run out");
        let outcome = run(*seed, 2 * HOUR, "at 30m for 40m part-hangs=lease-keeper");
        for group in ["hot-group", "cold-group"] {
            let withheld = format!("{group} restart withheld: the lease on the store could not be renewed");
            assert!(did(&outcome, &withheld), "{:#?}", outcome.recoveries);
            assert!(!did(&outcome, &format!("{group} graceful")), "{:#?}", outcome.recoveries);
        }
    }
}

#[test]
fn a_group_whose_requests_all_panic_has_not_recovered_after_each_restart() {
    for panics in ["requests-panic=all", "answers-panic"] {
        for seed in SEEDS {
            let outcome = run(*seed, 2 * HOUR, &format!("at 30m for 20m {panics}"));
            assert!(did(&outcome, "end_process"), "{:#?}", outcome.recoveries);
        }
    }
}

#[test]
fn a_keeper_of_the_lease_that_hangs_is_replaced_before_the_lease_runs_out() {
    // It renews every five seconds, and hangs at any time between.
    for after in (0..5_000).step_by(if cfg!(debug_assertions) { 2_500 } else { 500 }) {
        for seed in ROWS.iter().copied() {
            assert_eq!(LeaseKind::of(seed), LeaseKind::Row, "another kind of lease does not run out");
            let faults = format!("at {}ms for 0s part-hangs=lease-keeper", 1_800_000 + after);
            let outcome = run(seed, HOUR, &faults);
            assert_eq!(outcome.lapses, 0, "the lease ran out: {:#?}", outcome.recoveries);
            assert!(did(&outcome, "lease-keeper recovered"), "{:#?}", outcome.recoveries);
            assert_eq!(outcome.restarts, 1, "{:#?}", outcome.recoveries);
        }
    }
}

#[test]
fn groups_that_are_all_stuck_are_restarted_together() {
    check("at 30m for 50s requests-hang=all", 4 * MINUTE, 1);
    for outcome in check("at 30m for 0s part-hangs=work", 3 * MINUTE, 1) {
        assert!(did(&outcome, "work graceful, charged: true"), "{:#?}", outcome.recoveries);
    }
}

#[test]
fn a_group_whose_requests_panic_is_restarted_and_no_outage_of_the_api_is_blamed() {
    for requests in ["hot", "all"] {
        for outcome in check(&format!("at 30m for 2m requests-panic={requests}"), 5 * MINUTE, 1) {
            assert!(did(&outcome, "hot-group graceful, charged: true"), "{:#?}", outcome.recoveries);
            assert!(!did(&outcome, "restart withheld"), "{:#?}", outcome.recoveries);
        }
    }
}

#[test]
fn cold_requests_that_panic_cost_the_hot_group_nothing() {
    for seed in SEEDS {
        let outcome = run(*seed, 90 * MINUTE, "at 30m for 20m requests-panic=cold");
        assert!(outcome.availability.share() >= 0.999, "{outcome}");
        assert_eq!(outcome.boots, 1, "{outcome}");
        assert!(!did(&outcome, "restart withheld"), "{:#?}", outcome.recoveries);
    }
}

#[test]
fn a_process_that_panics_on_each_answer_blames_no_outage_of_the_api_and_recovers_once_it_does_not() {
    for seed in SEEDS {
        let outcome = run(*seed, 2 * HOUR, "at 30m for 20m answers-panic");
        assert!(!did(&outcome, BLAMED), "{:#?}", outcome.recoveries);
        let longest = outcome.availability.longest_down(SLOT);
        assert!(longest <= 35 * MINUTE, "{longest:?}: {outcome}");
    }
}

#[test]
fn panics_that_outlast_an_outage_of_the_api_do_not_pass_for_it() {
    for panics in ["requests-panic=hot", "requests-panic=all", "answers-panic"] {
        for seed in SEEDS {
            let faults = format!("at 30m for 6m api-503; at 33m for 20m {panics}");
            let outcome = run(*seed, 2 * HOUR, &faults);
            let [over, probed] = [36 * MINUTE, 41 * MINUTE];
            // The API was away until the first probe that found it there.
            assert!(!did_after(&outcome, probed, BLAMED), "{faults}: {:#?}", outcome.recoveries);
            let is_restarted =
                ["hot-group graceful", "work graceful"].map(|words| did_after(&outcome, over, words));
            assert!(is_restarted.contains(&true), "{faults}: {:#?}", outcome.recoveries);
        }
    }
}

#[test]
fn a_part_that_panics_at_each_start_is_started_again_until_its_budget_is_spent() {
    let outcomes = check("at 30m for 10m part-panics-always=sample-writer", MINUTE, 1);
    for outcome in outcomes {
        assert!(did(&outcome, "sample-writer escalated"), "{:#?}", outcome.recoveries);
    }
}

#[test]
fn a_thread_that_spins_is_left_behind_with_its_plane() {
    for part in ["work", "roster"] {
        for outcome in check(&format!("at 30m for 0s part-spins={part}"), 3 * MINUTE, 1) {
            assert!(did(&outcome, "rebuild_plane"), "{:#?}", outcome.recoveries);
        }
    }
    for outcome in check("at 30m for 30s requests-spin", 3 * MINUTE, 1) {
        assert!(did(&outcome, "rebuild_plane"), "{:#?}", outcome.recoveries);
    }
}

#[test]
fn a_plane_without_a_thread_is_built_anew_at_once() {
    for outcome in check("at 30m for 0s part-spins=work; at 30m for 0s part-spins=roster", MINUTE, 1) {
        assert!(did(&outcome, "rebuild_plane"), "{:#?}", outcome.recoveries);
    }
}

#[test]
fn a_supervision_that_spins_is_killed_by_the_watchdog() {
    let outcome = run(2, HOUR, "at 30m for 0s part-spins=monitor");
    assert_eq!(outcome.boots, 2, "{outcome}");
    assert!(outcome.availability.longest_down(SLOT) <= 2 * MINUTE, "{outcome}");
}

#[test]
fn a_process_that_leaks_ends_itself_once() {
    for outcome in check("at 30m for 10m leaks", 2 * MINUTE, 2) {
        assert!(did(&outcome, "process end_process"), "{:#?}", outcome.recoveries);
    }
}

#[test]
fn two_parts_that_wait_for_each_other_are_both_restarted() {
    let outcomes =
        check("at 30m for 0s part-hangs=work; at 30m for 0s part-hangs=token-writer", 3 * MINUTE, 1);
    for outcome in outcomes {
        assert!(
            did(&outcome, "work recovered") && did(&outcome, "token-writer recovered"),
            "{:#?}",
            outcome.recoveries
        );
    }
}

#[test]
fn a_kill_in_the_middle_of_a_restart_loses_nothing() {
    for second in [62, 70, 92, 96] {
        let kill = 1_800 + second;
        check(&format!("at 30m for 0s part-hangs=work; at {kill}s for 5s kill"), 3 * MINUTE, 2);
    }
}

#[test]
fn a_process_that_was_stopped_for_twenty_minutes_restarts_nothing() {
    // The other seed's watchdog kills it.
    let outcome = run(3, 90 * MINUTE, "at 30m for 20m freeze");
    assert_eq!((outcome.boots, outcome.restarts), (1, 0), "{:#?}", outcome.recoveries);
    assert_eq!(run(2, 90 * MINUTE, "at 30m for 20m freeze").boots, 2);
}

#[test]
fn a_ledger_that_is_away_delays_no_restart() {
    for fault in ["gone", "hang", "read-only"] {
        check(&format!("at 29m for 20m recoveries-{fault}; at 30m for 0s part-hangs=work"), 3 * MINUTE, 1);
    }
}

#[test]
fn nothing_is_restarted_while_only_the_api_and_the_store_are_away() {
    let outages = "at 30m for 10h api-503; at 40m for 9h store-gone";
    for seed in SEEDS {
        let outcome = run(*seed, 12 * HOUR, outages);
        assert_eq!((outcome.boots, outcome.restarts), (1, 0), "{:#?}", outcome.recoveries);
        assert!(did(&outcome, "restart withheld"), "{:#?}", outcome.recoveries);
    }
}

#[test]
fn a_request_that_hangs_while_the_api_is_away_does_not_pass_for_its_outage() {
    for seed in SEEDS {
        let faults = "at 30m for 6m api-wrong-type; at 33m for 4m requests-hang=hot";
        let outcome = run(*seed, 90 * MINUTE, faults);
        // The API is back at 36 minutes. The last probe that hangs begins at 37, is given up after two minutes, and the next
        // one brings fresh scores; nobody has to be restarted for that.
        let longest = outcome.availability.longest_down(SLOT);
        assert!(longest <= 3 * MINUTE + 2 * SLOT, "{longest:?}: {outcome}");
        assert_eq!(outcome.boots, 1, "{outcome}");
    }
}
