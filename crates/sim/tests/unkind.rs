//! Planes that stall, processes that are killed again and again, and one table that fails alone, with every class of error. Every
//! plan runs twice, and both runs must be equal. `lives` has the parts that end by themselves.

use std::time::Duration;

use ttm_sim::{FaultSchedule, Outcome, Plan, SLOT};

const HOUR: Duration = Duration::from_hours(1);
/// Debug builds run one seed.
const SEEDS: std::ops::Range<u64> = if cfg!(debug_assertions) { 1..2 } else { 1..4 };

fn check(faults: &str) -> Vec<Outcome> {
    let faults: FaultSchedule = faults.parse().expect("a schedule");
    SEEDS.map(|seed| Plan::new(seed, HOUR, faults.clone()).run_and_check()).collect()
}

#[test]
fn a_plane_that_stalls_for_a_while_continues_where_it_was() {
    check("at 10m for 5m plane-stalls=work; at 30m for 2m plane-stalls=supervision");
}

#[test]
fn a_table_that_fails_alone_is_reported_and_recovers_by_itself() {
    for table in ["tokens", "breakers", "samples", "events"] {
        let faults = ["gone", "full", "busy", "read-only", "no-right", "hang"];
        let faults =
            faults.iter().enumerate().map(|(i, fault)| format!("at {}m for 3m {table}-{fault}", 5 + 6 * i));
        check(&faults.collect::<Vec<_>>().join("; "));
    }
}

#[test]
fn a_table_that_appears_corrupt_is_left_alone_until_an_operator_restarts_the_process() {
    for table in ["tokens", "samples", "events"] {
        check(&format!("at 10m for 2m {table}-corrupt; at 20m for 5s kill"));
    }
}

#[test]
fn an_unknown_error_delays_its_own_table_and_heals_without_an_operator() {
    for table in ["tokens", "breakers", "samples", "events", "lease"] {
        check(&format!("at 10m for 5m {table}-unexpected"));
    }
}

#[test]
fn a_crash_loop_with_any_period_stays_below_the_limit_and_refreshes_what_it_can() {
    // The service's own budget, below the API's limit.
    let budget = 294;
    for every_ms in [450_u64, 1_000, 3_000, 9_000] {
        // Not at the moments at which a slot ends.
        let kills = (1..300_000 / every_ms).map(|i| format!("at {}ms for 0s kill", 600_137 + i * every_ms));
        for outcome in check(&kills.collect::<Vec<_>>().join("; ")) {
            assert!(outcome.requests.busiest_minute <= budget, "a life of {every_ms} ms: {outcome}");
            // A life of 450 ms is long enough: some 50 ms for the start, a spacing of 204 ms before the first
            // request, since the previous process may just have made one, 80 ms for the answer, 20 ms to store it. It
            // refreshes the 30 tokens that were refreshed longest ago, so each gets its turn.
            let longest_gap = outcome.availability.longest_down(SLOT);
            assert!(longest_gap <= 2 * SLOT, "a life of {every_ms} ms: {outcome}");
        }
    }
}
