//! Every way to fail that users of the API reported, each under a few seeds; every run is done twice and must be the
//! same twice. What spares some requests or some tokens is no outage, and readers are owed what can be had.

use std::time::Duration;

use ttm_market::synthetic::SyntheticMarket;
use ttm_sim::{FaultSchedule, Outcome, Plan, Poison, SLOT};

const HOUR: Duration = Duration::from_hours(1);
/// In debug one seed has to do.
const SEEDS: std::ops::Range<u64> = if cfg!(debug_assertions) { 1..2 } else { 1..9 };
/// The breaker's open period with its jitter, and then some rounds of the groups.
const SAT_OUT: Duration = Duration::from_mins(3);

/// Runs a scenario of two hours under each seed, holds every promise against it, and hands the outcomes on.
fn check(faults: &str) -> Vec<Outcome> {
    let faults: FaultSchedule = faults.parse().expect("a schedule");
    SEEDS.map(|seed| Plan::new(seed, 2 * HOUR, faults.clone()).run_and_hold()).collect()
}

/// An outage: tokens are served as they are, and fresh again soon after.
fn check_outage(faults: &str) {
    for outcome in check(faults) {
        let down = outcome.availability.longest_down(SLOT);
        assert!(down <= SAT_OUT, "{down:?}: {outcome}");
    }
}

/// No outage: nobody may notice.
fn check_unnoticed(faults: &str) {
    for outcome in check(faults) {
        assert!(outcome.availability.share() >= 0.999, "{outcome}");
    }
}

#[test]
fn a_challenge_page_silences_the_client_and_no_more() {
    check_outage("at 30m for 20m api-403");
    for outcome in check("at 30m for 20m api-403") {
        let refused = outcome.requests.requests - outcome.requests.succeeded;
        assert!(refused < 40, "{refused} requests of an API that refuses this client: {outcome}");
    }
}

#[test]
fn a_storm_of_server_errors_of_every_kind_is_sat_out() {
    check_outage("at 30m for 7m api-500; at 37m for 7m api-502; at 44m for 6m api-520");
}

#[test]
fn bodies_that_are_too_large_or_called_html_are_an_outage_and_nothing_worse() {
    check_outage("at 20m for 10m api-too-large; at 50m for 10m api-wrong-type");
}

#[test]
fn nulls_for_everyone_are_an_outage_and_nobody_is_taken_for_unlisted() {
    check_outage("at 30m for 20m api-flaky-nulls=100%");
}

#[test]
fn empty_answers_for_everyone_are_an_outage_and_nobody_is_taken_for_unlisted() {
    for outcome in check("at 30m for 20m api-nulls") {
        // The next tick finds all of them again.
        let down = outcome.availability.longest_down(SLOT);
        assert!(down <= 2 * SLOT, "{down:?}: {outcome}");
        let empty = outcome.requests.requests - outcome.requests.succeeded;
        assert!(empty < 600, "{empty} requests of an API that knows nothing: {outcome}");
    }
}

#[test]
fn new_tokens_of_which_an_api_says_nothing_are_not_taken_for_unlisted() {
    // Nothing of the set has ever been seen.
    for outcome in check("at 0s for 30m api-nulls") {
        assert!(outcome.requests.succeeded > 0, "{outcome}");
    }
}

#[test]
fn an_api_whose_pairs_cannot_be_read_is_told_with_the_reason() {
    check("at 30m for 20m api-bad-pairs=100%; at 70m for 10m api-delisted=100%");
}

#[test]
fn one_null_in_ten_answers_is_not_noticed() {
    check_unnoticed("at 20m for 1h api-flaky-nulls=10%");
}

#[test]
fn three_nulls_in_ten_answers_are_survived() {
    // Its probes fail as often as its calls, so an open breaker may stay open for some periods in a row: how many is
    // chance. That holds of one seed; of several the mean is what was owed.
    let outcomes = check("at 20m for 1h api-flaky-nulls=30%");
    let shares = outcomes.iter().map(|outcome| outcome.availability.share());
    for outcome in &outcomes {
        assert!(outcome.availability.share() >= 0.85, "{outcome}");
    }
    let mean = shares.sum::<f64>() / outcomes.len() as f64;
    assert!(mean >= 0.95 || outcomes.len() < 4, "{mean}");
}

#[test]
fn batches_that_are_empty_once_in_a_while_cost_no_slot() {
    check_unnoticed("at 20m for 1h api-empty-batch=5%");
}

#[test]
fn batches_that_are_always_empty_leave_the_single_questions() {
    check("at 20m for 30m api-empty-batch=100%");
}

#[test]
fn stale_data_is_served_as_it_comes() {
    check_unnoticed("at 20m for 1h api-stale=30s");
}

#[test]
fn delisted_tokens_vanish_and_come_back() {
    check("at 20m for 20m api-delisted=30%");
}

/// A plan whose tokens fill some batches, so that not all of them hold a poisoned one.
fn of_many_tokens(seed: u64, lasts: Duration, faults: &str) -> Plan {
    Plan { tokens: 300, ..Plan::new(seed, lasts, faults.parse().expect("a schedule")) }
}

/// How many of a plan's tokens are poisoned where so many in a hundred are.
fn poisoned(plan: &Plan, share: u8) -> u64 {
    let mints = SyntheticMarket::new(plan.seed, plan.tokens).mints();
    mints.filter(|mint| Poison::of(mint, share).is_some()).count() as u64
}

#[test]
fn poisoned_tokens_rest_and_cost_little() {
    let mut most = 0;
    for seed in SEEDS.start..SEEDS.end.min(4) {
        let plan = of_many_tokens(seed, Duration::from_mins(35), "at 10m for 20m api-poison=1%");
        let outcome = plan.run_and_hold();
        check_found(&outcome);
        let poisoned = poisoned(&plan, 1);
        most = most.max(poisoned);
        // Each costs its batch three times and a half of each size, twice if they fail beside each other, and its rests of
        // 1, 2, 4 … minutes end five times in twenty minutes. A full list that somebody wanted before is tried three times.
        let each = 2 * (3 + 5) + 5 + 3;
        let asked = outcome.requests.poisoned;
        assert!((poisoned..=poisoned * each).contains(&asked), "{asked} for {poisoned}: {outcome}");
    }
    assert!(most > 0, "no seed had a poisoned token");
}

/// Where each of the batches holds a poisoned token the API looks as if it were away, until the first probe for one token
/// finds that it is there: one open period of the breaker, and some rounds.
fn check_found(outcome: &Outcome) {
    let down = outcome.availability.longest_down(SLOT);
    assert!(down <= SAT_OUT, "{down:?}: {outcome}");
}

#[test]
fn poison_in_each_of_a_few_batches_is_found_and_its_neighbours_are_fresh_again() {
    for share in [3, 8] {
        for outcome in check(&format!("at 20m for 30m api-poison={share}%")) {
            check_found(&outcome);
        }
    }
}

#[test]
fn poison_beside_an_outage_and_a_kill_is_survived() {
    check("at 20m for 10m api-poison=8%; at 32m for 5m api-503; at 40m for 5s kill");
    check("at 0s for 30m api-poison=8%; at 10m for 5s kill; at 20m for 90s freeze");
}

#[test]
fn extra_pairs_and_pairs_without_anything_optional_change_no_promise() {
    check_unnoticed("at 20m for 20m api-extra-pairs; at 50m for 20m api-sparse");
}

#[test]
fn a_bad_pair_costs_its_token_a_minute_and_no_other_token_anything() {
    // A token all of whose pairs are bad is taken for unlisted, which is asked again after a minute: with one bad pair
    // in ten and a few dozen tokens there is nearly always one of them.
    for outcome in check("at 20m for 1h api-bad-pairs=10%") {
        let down = outcome.availability.longest_down(SLOT);
        assert!(down <= Duration::from_secs(130), "{down:?}: {outcome}");
    }
}

#[test]
fn everything_at_once_one_after_the_other_is_survived() {
    let kinds = [
        "api-403",
        "api-429",
        "api-520",
        "api-flaky-nulls=50%",
        "api-empty-batch=50%",
        "api-stale=30s",
        "api-delisted=20%",
        "api-extra-pairs",
        "api-too-large",
        "api-bad-pairs=50%",
        "api-wrong-type",
        "api-sparse",
    ];
    let faults = kinds.iter().enumerate().map(|(i, kind)| format!("at {}s for 3m {kind}", 1_200 + i * 240));
    check(&faults.collect::<Vec<_>>().join("; "));
}
