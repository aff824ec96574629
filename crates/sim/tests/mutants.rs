//! Oracles that have never seen a promise broken prove nothing: here each is broken on purpose, by a service that was
//! told to do other than what was promised, and some seed must see it.

use std::time::Duration;

use ttm_breaker::{BreakerConfig, BreakerSettings};
use ttm_retry::{RetryPolicy, RetrySettings};
use ttm_sim::Plan;

/// Runs two hours under three seeds, and wants one of them to find `promise` broken.
fn check(faults: &str, mutate: impl Fn(&mut Plan), promise: &str) {
    let found: Vec<String> = (1..4)
        .flat_map(|seed| {
            let mut plan = Plan::new(seed, Duration::from_hours(2), faults.parse().expect("a schedule"));
            mutate(&mut plan);
            plan.run().broken
        })
        .collect();
    assert!(found.iter().any(|broken| broken.contains(promise)), "{promise:?} was not found in {found:#?}");
}

fn breaker(settings: BreakerSettings) -> BreakerConfig {
    BreakerConfig::try_new(settings).expect("valid settings")
}

fn retry(settings: RetrySettings) -> RetryPolicy {
    RetryPolicy::try_new(settings).expect("valid settings")
}

#[test]
fn a_breaker_that_opens_too_late_is_seen() {
    let late = breaker(BreakerSettings { failure_threshold: Some(20), ..BreakerSettings::default() });
    check("at 30m for 20m api-503", |plan| plan.settings.breaker = late.clone(), "while the breaker is open");
}

#[test]
fn a_breaker_that_looks_again_too_soon_is_seen() {
    let hasty = BreakerSettings { recovery_timeout: Duration::from_secs(20), ..BreakerSettings::default() };
    let hasty = breaker(hasty);
    check(
        "at 30m for 20m api-503",
        |plan| plan.settings.breaker = hasty.clone(),
        "while the breaker is open",
    );
}

#[test]
fn probes_too_many_are_seen() {
    let promised = |plan: &mut Plan| plan.promised.breaker.half_open_max_calls = 1;
    check("at 30m for 20m api-503", promised, "while the breaker is half-open");
}

#[test]
fn an_attempt_too_many_is_seen() {
    let stubborn = retry(RetrySettings { max_attempts: 8, ..RetrySettings::default() });
    // One batch: with two of them the breaker opens before the fourth attempt.
    let mutate = |plan: &mut Plan| {
        plan.settings.retry = stubborn.clone();
        plan.tokens = 20;
    };
    check("at 30m for 20m api-truncated", mutate, "attempt 4 at one call");
}

#[test]
fn a_pause_that_is_cut_short_is_seen() {
    let impatient =
        retry(RetrySettings { max_retry_after: Duration::from_secs(30), ..RetrySettings::default() });
    check("at 30m for 5m api-429=2m", |plan| plan.settings.retry = impatient.clone(), "a 429 asked to wait");
}

#[test]
fn more_requests_than_the_limit_are_seen() {
    check("", |plan| plan.promised.requests_per_minute = 20, "requests in one minute, 20 are allowed");
}

#[test]
fn a_stop_that_gives_up_with_work_in_hand_is_seen() {
    let hasty = |plan: &mut Plan| plan.promised.stop_within = Duration::from_millis(1);
    check("at 1h300ms for 5s terminate", hasty, "not everything was stored");
}
