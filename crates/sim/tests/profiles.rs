//! New tokens are found by their profiles, from an API that limits requests for those separately.

use std::time::Duration;

use ttm_guard::{GuardConfig, GuardSettings};
use ttm_sim::{Outcome, Plan};

const HOURS: u64 = if cfg!(debug_assertions) { 1 } else { 3 };
/// Debug builds run one seed.
const SEEDS: std::ops::Range<u64> = if cfg!(debug_assertions) { 1..2 } else { 1..5 };
/// The most profiles that are followed.
const LIMIT: usize = 40;

/// Follows profiles, with polls as often as possible.
fn plan(seed: u64, faults: &str) -> Plan {
    let mut plan = Plan::new(seed, Duration::from_hours(HOURS), faults.parse().expect("a schedule"));
    plan.profiles = true;
    plan.settings.profiles_limit = LIMIT;
    plan.settings.source_poll_interval = Duration::from_millis(100);
    plan
}

/// Checks every promise under each seed.
fn check(faults: &str) -> Vec<(usize, Outcome)> {
    SEEDS.map(|seed| plan(seed, faults)).map(|plan| (plan.tokens, plan.run_and_check())).collect()
}

#[test]
fn new_tokens_are_followed_up_to_the_limit_on_their_own_budget() {
    for (before, outcome) in check("") {
        assert_eq!(outcome.tokens, before + LIMIT, "{outcome}");
        let busiest = outcome.requests.busiest_profile_minute;
        assert!((58..=59).contains(&busiest), "{busiest} polls in the busiest minute: {outcome}");
        // A new token is requested within one round; until then its lane has a token without a score.
        assert!(outcome.availability.share() >= 0.999, "{outcome}");
    }
}

#[test]
fn profiles_are_followed_again_after_every_fault_of_the_api() {
    let faults = "at 5m for 5m api-503; at 12m for 3m api-429; at 17m for 3m api-429=30s; at 22m for 3m api-hang; \
                  at 27m for 3m api-403; at 31m for 3m api-drip; at 35m for 1m kill";
    for (before, outcome) in check(faults) {
        assert!(outcome.tokens > before + LIMIT / 2, "{} tokens: {outcome}", outcome.tokens);
    }
}

#[test]
fn one_poll_more_than_the_api_allows_is_a_broken_promise() {
    let mut plan = plan(1, "");
    let guard = GuardSettings { requests_per_minute: Some(63), ..GuardSettings::default() };
    plan.settings.profiles = GuardConfig::try_new(guard).expect("valid settings");
    let broken = plan.run().broken;
    assert!(
        broken.iter().any(|broken| broken.contains("61 requests in one minute, 60 are allowed")),
        "{broken:?}"
    );
}
