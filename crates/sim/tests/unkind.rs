//! What production does and a kinder world would not: parts that end by themselves, planes that stand still, and a store of
//! which one table fails alone, in every class of error. Every run is done twice and must be the same twice.

use std::time::Duration;

use ttm_sim::{FaultSchedule, Outcome, Part, Plan, SLOT};

const HOUR: Duration = Duration::from_hours(1);
/// In debug one seed has to do.
const SEEDS: std::ops::Range<u64> = if cfg!(debug_assertions) { 1..2 } else { 1..4 };

fn check(faults: &str) -> Vec<Outcome> {
    let faults: FaultSchedule = faults.parse().expect("a schedule");
    SEEDS.map(|seed| Plan::new(seed, HOUR, faults.clone()).run_and_hold()).collect()
}

#[test]
fn every_part_that_ends_or_panics_ends_in_an_orderly_stop_and_another_start() {
    let parts = Part::ALL.into_iter().enumerate();
    let faults: Vec<String> = parts
        .map(|(i, part)| {
            let (word, at) = (part.name().replace(' ', "-"), 2 * i + 2);
            format!("at {at}m for 0s part-ends={word}; at {}m for 0s part-panics={word}", at + 1)
        })
        .collect();
    for outcome in check(&faults.join("; ")) {
        assert_eq!(outcome.boots as usize, 1 + 2 * Part::ALL.len(), "{outcome}");
    }
}

#[test]
fn a_work_plane_that_stands_still_for_a_while_goes_on_where_it_was() {
    check("at 10m for 5m plane-stalls=work; at 30m for 2m plane-stalls=supervision");
}

#[test]
fn each_table_that_fails_alone_is_told_and_comes_back_by_itself() {
    for table in ["tokens", "breakers", "samples", "events"] {
        let faults = ["gone", "full", "busy", "read-only", "no-right", "hang"];
        let faults =
            faults.iter().enumerate().map(|(i, fault)| format!("at {}m for 3m {table}-{fault}", 5 + 6 * i));
        check(&faults.collect::<Vec<_>>().join("; "));
    }
}

#[test]
fn what_looks_corrupt_waits_for_a_person_whose_restart_mends_it() {
    for table in ["tokens", "samples", "events"] {
        check(&format!("at 10m for 2m {table}-corrupt; at 20m for 5s kill"));
    }
}

#[test]
fn an_answer_that_is_not_known_costs_its_own_table_a_while_and_heals_without_a_person() {
    for table in ["tokens", "breakers", "samples", "events", "lease"] {
        check(&format!("at 10m for 5m {table}-unexpected"));
    }
}

#[test]
fn a_crash_loop_of_any_length_asks_no_more_than_the_limit_and_refreshes_what_it_can() {
    // What the service keeps to, below the API's limit.
    let budget = 294;
    for every_ms in [450_u64, 1_000, 3_000, 9_000] {
        // Not at the moments at which the tokens are looked at.
        let kills = (1..300_000 / every_ms).map(|i| format!("at {}ms for 0s kill", 600_137 + i * every_ms));
        for outcome in check(&kills.collect::<Vec<_>>().join("; ")) {
            assert!(outcome.requests.busiest_minute <= budget, "lives of {every_ms} ms: {outcome}");
            // A life of 450 ms is long enough: some 50 ms for the start, a spacing of 204 ms before the first request, since
            // the process before may have made one just then, 80 ms for its answer, 20 ms to store it. The tokens that it
            // refreshes are the first 30 of those that were seen longest ago, so each gets its turn.
            let longest_gap = outcome.availability.longest_down(SLOT);
            assert!(longest_gap <= 2 * SLOT, "lives of {every_ms} ms: {outcome}");
        }
    }
}
