//! New tokens come by their profiles, from an API that counts requests for those apart.

use std::time::Duration;

use ttm_guard::{GuardConfig, GuardSettings};
use ttm_sim::{Outcome, Plan};

const HOURS: u64 = if cfg!(debug_assertions) { 1 } else { 3 };
/// In debug one seed has to do.
const SEEDS: std::ops::Range<u64> = if cfg!(debug_assertions) { 1..2 } else { 1..5 };
/// How many are followed, at most.
const LIMIT: usize = 40;

/// Follows profiles, looking as often as it can.
fn plan(seed: u64, faults: &str) -> Plan {
    let mut plan = Plan::new(seed, Duration::from_hours(HOURS), faults.parse().expect("a schedule"));
    plan.profiles = true;
    plan.settings.profiles_limit = LIMIT;
    plan.settings.source_poll_interval = Duration::from_millis(100);
    plan
}

/// Holds every promise under each seed.
fn check(faults: &str) -> Vec<(usize, Outcome)> {
    SEEDS.map(|seed| plan(seed, faults)).map(|plan| (plan.tokens, plan.run_and_hold())).collect()
}

#[test]
fn new_tokens_are_followed_up_to_the_limit_on_a_budget_of_their_own() {
    for (before, outcome) in check("") {
        assert_eq!(outcome.tokens, before + LIMIT, "{outcome}");
        let busiest = outcome.requests.busiest_profile_minute;
        assert!((58..=59).contains(&busiest), "{busiest} looks in the busiest minute: {outcome}");
        // A token is asked for within the round in which it is new; until then its lane has one without a score.
        assert!(outcome.availability.share() >= 0.999, "{outcome}");
    }
}

#[test]
fn an_api_that_fails_in_every_way_ends_no_following() {
    let faults = "at 5m for 5m api-503; at 12m for 3m api-429; at 17m for 3m api-429=30s; at 22m for 3m api-hang; \
                  at 27m for 3m api-403; at 31m for 3m api-drip; at 35m for 1m kill";
    for (before, outcome) in check(faults) {
        assert!(outcome.tokens > before + LIMIT / 2, "{} tokens: {outcome}", outcome.tokens);
    }
}

#[test]
fn one_look_more_than_the_api_allows_is_a_broken_promise() {
    let mut plan = plan(1, "");
    let guard = GuardSettings { requests_per_minute: Some(63), ..GuardSettings::default() };
    plan.settings.profiles = GuardConfig::try_new(guard).expect("valid settings");
    let broken = plan.run().broken;
    assert!(
        broken.iter().any(|broken| broken.contains("61 requests in one minute, 60 are allowed")),
        "{broken:?}"
    );
}
