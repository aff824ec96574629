//! Every failure that users of the API reported, each under a few seeds; every plan runs twice, and both runs must be
//! equal. A fault that spares some requests or tokens is not an outage, and readers must get what is available.

use std::time::Duration;

use ttm_market::synthetic::SyntheticMarket;
use ttm_sim::{FaultSchedule, Outcome, Plan, Poison, SLOT};

const HOUR: Duration = Duration::from_hours(1);
/// Debug builds run one seed.
const SEEDS: std::ops::Range<u64> = if cfg!(debug_assertions) { 1..2 } else { 1..9 };
/// The breaker's open period with its jitter, and then some rounds of the groups.
const RECOVERY: Duration = Duration::from_mins(3);

/// Runs a scenario of two hours under each seed, checks every promise, and returns the outcomes.
fn check(faults: &str) -> Vec<Outcome> {
    let faults: FaultSchedule = faults.parse().expect("a schedule");
    SEEDS.map(|seed| Plan::new(seed, 2 * HOUR, faults.clone()).run_and_check()).collect()
}

/// An outage: tokens are served stale, and are fresh again soon after.
fn check_outage(faults: &str) {
    for outcome in check(faults) {
        let down = outcome.availability.longest_down(SLOT);
        assert!(down <= RECOVERY, "{down:?}: {outcome}");
    }
}

/// Not an outage: readers must not notice.
fn check_unnoticed(faults: &str) {
    for outcome in check(faults) {
        assert!(outcome.availability.share() >= 0.999, "{outcome}");
    }
}

#[test]
fn a_challenge_page_stops_the_requests_and_nothing_else() {
    check_outage("at 30m for 20m api-403");
    for outcome in check("at 30m for 20m api-403") {
        let refused = outcome.requests.requests - outcome.requests.succeeded;
        assert!(refused < 40, "{refused} requests to an API that refuses this client: {outcome}");
    }
}

#[test]
fn server_errors_of_every_kind_are_an_outage_with_a_quick_recovery() {
    check_outage("at 30m for 7m api-500; at 37m for 7m api-502; at 44m for 6m api-520");
}

#[test]
fn bodies_that_are_too_large_or_declared_as_html_are_an_outage_and_nothing_worse() {
    check_outage("at 20m for 10m api-too-large; at 50m for 10m api-wrong-type");
}

#[test]
fn nulls_in_every_answer_are_an_outage_and_unlist_no_token() {
    check_outage("at 30m for 20m api-flaky-nulls=100%");
}

#[test]
fn empty_answers_to_every_request_are_an_outage_and_unlist_no_token() {
    for outcome in check("at 30m for 20m api-nulls") {
        // The next tick finds all of them again.
        let down = outcome.availability.longest_down(SLOT);
        assert!(down <= 2 * SLOT, "{down:?}: {outcome}");
        let empty = outcome.requests.requests - outcome.requests.succeeded;
        assert!(empty < 600, "{empty} requests to an API that lists nothing: {outcome}");
    }
}

#[test]
fn new_tokens_are_not_unlisted_while_the_api_lists_nothing() {
    // No token of the set has ever been listed.
    for outcome in check("at 0s for 30m api-nulls") {
        assert!(outcome.requests.succeeded > 0, "{outcome}");
    }
}

#[test]
fn an_api_whose_pairs_cannot_be_read_is_reported_with_the_reason() {
    check("at 30m for 20m api-bad-pairs=100%; at 70m for 10m api-delisted=100%");
}

#[test]
fn one_null_in_ten_answers_is_not_noticed() {
    check_unnoticed("at 20m for 1h api-flaky-nulls=10%");
}

#[test]
fn three_nulls_in_ten_answers_keep_most_slots_available() {
    // Probes fail as often as other calls, so an open breaker may stay open for a random number of periods. One seed
    // may be unlucky, so the promise is checked for the mean of several.
    let outcomes = check("at 20m for 1h api-flaky-nulls=30%");
    let shares = outcomes.iter().map(|outcome| outcome.availability.share());
    for outcome in &outcomes {
        assert!(outcome.availability.share() >= 0.85, "{outcome}");
    }
    let mean = shares.sum::<f64>() / outcomes.len() as f64;
    assert!(mean >= 0.95 || outcomes.len() < 4, "{mean}");
}

#[test]
fn occasional_empty_batches_cost_no_slot() {
    check_unnoticed("at 20m for 1h api-empty-batch=5%");
}

#[test]
fn batches_that_are_always_empty_leave_single_requests() {
    check("at 20m for 30m api-empty-batch=100%");
}

#[test]
fn stale_data_is_served_as_it_is_received() {
    check_unnoticed("at 20m for 1h api-stale=30s");
}

#[test]
fn delisted_tokens_disappear_and_come_back() {
    check("at 20m for 20m api-delisted=30%");
}

/// A plan with several batches of tokens, so that not all of them contain a poisoned one.
fn of_many_tokens(seed: u64, lasts: Duration, faults: &str) -> Plan {
    Plan { tokens: 300, ..Plan::new(seed, lasts, faults.parse().expect("a schedule")) }
}

/// How many of a plan's tokens are poisoned for a given share.
fn poisoned(plan: &Plan, share: u8) -> u64 {
    let mints = SyntheticMarket::new(plan.seed, plan.tokens).mints();
    mints.filter(|mint| Poison::of(mint, share).is_some()).count() as u64
}

#[test]
fn poisoned_tokens_rest_and_cost_little() {
    let mut most = 0;
    for seed in SEEDS.start..SEEDS.end.min(4) {
        let plan = of_many_tokens(seed, Duration::from_mins(35), "at 10m for 20m api-poison=1%");
        let outcome = plan.run_and_check();
        check_found(&outcome);
        let poisoned = poisoned(&plan, 1);
        most = most.max(poisoned);
        // Each costs three attempts of its batch and one request per size of half, twice if two fail at once, and its
        // rests of 1, 2, 4 … minutes end five times in twenty minutes. A full list that was scheduled before has
        // three attempts.
        let each = 2 * (3 + 5) + 5 + 3;
        let requests = outcome.requests.poisoned;
        assert!((poisoned..=poisoned * each).contains(&requests), "{requests} for {poisoned}: {outcome}");
    }
    assert!(most > 0, "no seed had a poisoned token");
}

/// If every batch contains a poisoned token the API appears to be down, until the first probe with a single token
/// finds that it is up: one open period of the breaker, and some rounds.
fn check_found(outcome: &Outcome) {
    let down = outcome.availability.longest_down(SLOT);
    assert!(down <= RECOVERY, "{down:?}: {outcome}");
}

#[test]
fn poison_in_every_batch_is_isolated_and_the_other_tokens_are_fresh_again() {
    for share in [3, 8] {
        for outcome in check(&format!("at 20m for 30m api-poison={share}%")) {
            check_found(&outcome);
        }
    }
}

#[test]
fn poison_beside_an_outage_and_a_kill_breaks_no_promise() {
    check("at 20m for 10m api-poison=8%; at 32m for 5m api-503; at 40m for 5s kill");
    check("at 0s for 30m api-poison=8%; at 10m for 5s kill; at 20m for 90s freeze");
}

#[test]
fn extra_pairs_and_pairs_without_optional_fields_cost_no_slot() {
    check_unnoticed("at 20m for 20m api-extra-pairs; at 50m for 20m api-sparse");
}

#[test]
fn a_bad_pair_delays_its_own_token_by_a_minute_and_no_other() {
    // A token whose pairs are all bad is marked as unlisted, and requested again after a minute: with one bad pair in
    // ten and a few dozen tokens there is nearly always one.
    for outcome in check("at 20m for 1h api-bad-pairs=10%") {
        let down = outcome.availability.longest_down(SLOT);
        assert!(down <= Duration::from_secs(130), "{down:?}: {outcome}");
    }
}

#[test]
fn every_fault_in_quick_succession_breaks_no_promise() {
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
