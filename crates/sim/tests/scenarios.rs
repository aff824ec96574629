//! Outages known from production systems, each under a few seeds; every plan runs twice, and both runs must be equal.

use std::time::Duration;

use ttm_sim::{FaultSchedule, Outcome, Plan, SLOT};

const HOUR: Duration = Duration::from_hours(1);
/// Debug builds run one seed.
const SEEDS: std::ops::Range<u64> = if cfg!(debug_assertions) { 1..2 } else { 1..6 };

/// Runs a scenario under each seed, checks every promise, and returns the outcomes.
fn check(lasts: Duration, faults: &str) -> Vec<Outcome> {
    let faults: FaultSchedule = faults.parse().expect("a schedule");
    SEEDS.map(|seed| Plan::new(seed, lasts, faults.clone()).run_and_check()).collect()
}

#[test]
fn a_calm_day_is_available_throughout() {
    for outcome in check(24 * HOUR, "") {
        assert!(outcome.availability.share() >= 0.999, "{outcome}");
        assert!(outcome.requests.requests > 8_640, "the hot group alone makes a request every ten seconds");
        assert_eq!((outcome.boots, outcome.samples.again, outcome.samples.collided), (1, 0, 0));
    }
}

#[test]
fn twenty_minutes_of_503_leave_no_trace_after_a_quick_recovery() {
    for outcome in check(2 * HOUR, "at 30m for 20m api-503") {
        // The gap is the breaker's last open period, until it probes: a minute and its jitter.
        assert!(outcome.availability.longest_down(SLOT) <= Duration::from_secs(90), "{outcome}");
    }
}

#[test]
fn an_api_that_accepts_and_never_answers_stalls_nothing_else() {
    check(2 * HOUR, "at 30m for 20m api-hang");
}

#[test]
fn a_response_that_drips_times_out() {
    check(2 * HOUR, "at 30m for 20m api-drip");
}

#[test]
fn truncated_bodies_are_failures_and_missing_pairs_are_requested_again() {
    check(2 * HOUR, "at 20m for 5m api-truncated; at 50m for 10m api-half");
}

#[test]
fn a_429_pauses_every_caller_for_as_long_as_it_requests() {
    check(2 * HOUR, "at 20m for 5m api-429=20s; at 50m for 5m api-429");
}

#[test]
fn an_api_that_flaps_with_the_breakers_own_period_breaks_no_promise() {
    let flaps: Vec<String> = (0..20).map(|i| format!("at {}s for 60s api-503", 1_200 + i * 121)).collect();
    check(3 * HOUR, &flaps.join("; "));
}

#[test]
fn a_store_that_is_gone_for_an_hour_costs_neither_a_sample_nor_a_slot() {
    for outcome in check(3 * HOUR, "at 30m for 1h store-gone") {
        assert!(outcome.availability.share() >= 0.999, "{outcome}");
    }
}

#[test]
fn a_store_that_hangs_or_loses_acknowledgements_still_has_every_sample_once() {
    for outcome in
        check(2 * HOUR, "at 20m for 5m store-hang; at 40m for 10m store-lost-acks; at 60m for 10m store-full")
    {
        assert!(outcome.samples.again > 0, "lost acknowledgements cause duplicate batches: {outcome}");
        assert!(outcome.availability.share() >= 0.99, "{outcome}");
    }
}

#[test]
fn a_process_recovers_from_a_kill_at_any_time_with_the_durable_state() {
    let kills: Vec<String> =
        (1..30).map(|i| format!("at {}ms for 5s kill", 120_000 * i + 1_237 * i)).collect();
    for outcome in check(2 * HOUR, &kills.join("; ")) {
        assert_eq!(outcome.boots, 30);
    }
}

#[test]
fn a_process_that_is_killed_while_the_api_is_down_keeps_its_breaker_open() {
    // One process a minute: without the saved breaker each would need five failures to open its own.
    let kills: Vec<String> = (0..50).map(|i| format!("at {}ms for 5s kill", 720_000 + 61_237 * i)).collect();
    for outcome in check(2 * HOUR, &format!("at 10m for 1h api-503; {}", kills.join("; "))) {
        assert_eq!(outcome.boots, 51);
        let failed = outcome.requests.requests - outcome.requests.succeeded;
        // One probe a minute, and the five failures of the first process; without the saved breaker, five each.
        assert!(failed < 80, "{failed} calls to an API that was down: {outcome}");
    }
}

#[test]
fn a_stop_during_an_outage_ends_in_time() {
    let faults = "at 20m for 10m api-hang; at 25m for 5s terminate; at 40m for 10m store-gone; at 45m for 5s terminate; \
        at 60m for 10m store-hang; at 65m for 5s terminate";
    for outcome in check(2 * HOUR, faults) {
        assert_eq!(outcome.stops, 4);
    }
}

#[test]
fn a_process_that_is_suspended_continues_where_it_was() {
    check(2 * HOUR, "at 20m for 90s freeze; at 40m for 1h freeze");
}

#[test]
fn a_step_of_the_wall_clock_by_a_day_moves_no_deadline() {
    for outcome in check(2 * HOUR, "at 20m for 0s wall-step=24h123ms; at 50m for 0s wall-step=-24h456ms") {
        assert!(outcome.availability.share() >= 0.99, "{outcome}");
    }
}
