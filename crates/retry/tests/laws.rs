//! The laws of retrying, over any policy, any failures and any time.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use ttm_kernel::{Entropy, Moment};
use ttm_retry::testing::{any_class, any_duration, any_policy};
use ttm_retry::{Class, Decision, GiveUpReason, Jitter, Retry, RetryPolicy, RetrySettings};
use ttm_testkit::SeededEntropy;

/// Mostly a moment in the first hours; sometimes one near the end of time, or at it.
fn any_moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        4 => any_duration().prop_map(Moment::from_origin),
        1 => (0_u64..1_000_000_000).prop_map(|before| Moment::from_nanos(u64::MAX - before)),
    ]
}

proptest! {
    #[test]
    fn a_call_keeps_its_deadline_its_number_of_attempts_and_what_the_upstream_asked_for(
        policy in any_policy(),
        start in any_moment(),
        deadline in any_moment(),
        failures in prop::collection::vec((any_class(), prop::option::of(any_duration()), 0_u64..10_000), 1..30),
        seed: u64,
    ) {
        let entropy = SeededEntropy::new(seed);
        let settings = policy.settings();
        let mut retry = Retry::new(&policy, deadline);
        let mut now = start;
        for (made, (class, retry_after, took_ms)) in (1..).zip(failures) {
            now += Duration::from_millis(took_ms);
            let decision = retry.next(class, retry_after, now, &entropy);
            prop_assert_eq!(retry.failures(), made);
            match decision {
                Decision::RetryAt(at) => {
                    prop_assert!(at < deadline);
                    prop_assert!(at >= now);
                    prop_assert!(made < settings.max_attempts);
                    prop_assert_ne!(class, Class::Permanent);
                    if let Some(asked) = retry_after {
                        let asked = asked.min(settings.max_retry_after);
                        prop_assert!(at - now >= asked);
                        // Chance adds to what was asked for, a tenth at most; it never takes away.
                        prop_assert!(at - now <= asked.saturating_add(asked / 10).max(settings.max_delay));
                    } else if class == Class::Transient {
                        prop_assert!(at - now <= settings.max_delay);
                    } else {
                        prop_assert!(at - now >= settings.max_delay / 2);
                    }
                    if settings.jitter == Jitter::None {
                        // A Retry-After of zero is no permission to hammer.
                        prop_assert!(at - now >= policy.backoff(made - 1));
                    }
                    now = at;
                }
                Decision::GiveUp(reason) => {
                    let expected = if class == Class::Permanent {
                        GiveUpReason::Permanent
                    } else if made >= settings.max_attempts {
                        GiveUpReason::AttemptsUsedUp
                    } else {
                        GiveUpReason::Deadline
                    };
                    prop_assert_eq!(reason, expected);
                    break;
                }
            }
        }
    }

    #[test]
    fn each_wait_lies_within_the_bounds_of_its_jitter(policy in any_policy(), seed: u64) {
        let entropy = SeededEntropy::new(seed);
        let settings = policy.settings();
        let mut retry = Retry::new(&policy, Moment::MAX);
        let mut previous = settings.base_delay;
        for n in 0..settings.max_attempts.min(200) - 1 {
            let decision = retry.next(Class::Transient, None, Moment::ZERO, &entropy);
            let Decision::RetryAt(at) = decision else {
                // Only a wait that saturates reaches the end of time.
                prop_assert_eq!(Moment::ZERO + settings.max_delay, Moment::MAX);
                break;
            };
            let (wait, full) = (at.since_origin(), policy.backoff(n));
            let (least, most) = match settings.jitter {
                Jitter::None => (full, full),
                Jitter::Full => (Duration::ZERO, full),
                Jitter::Equal => (full / 2, full),
                Jitter::Decorrelated => {
                    (settings.base_delay, previous.saturating_mul(3).max(settings.base_delay).min(settings.max_delay))
                }
            };
            prop_assert!(least <= wait && wait <= most, "{least:?} <= {wait:?} <= {most:?}");
            previous = wait;
        }
    }

    #[test]
    fn an_attempt_is_abandoned_at_its_timeout_or_at_the_deadline_whichever_is_sooner(
        policy in any_policy(),
        deadline in any_moment(),
        now in any_moment(),
        timeout in any_duration(),
    ) {
        let until = Retry::new(&policy, deadline).attempt_deadline(now, timeout);
        prop_assert!(until <= deadline);
        prop_assert!(until - now <= timeout);
        prop_assert!(until == deadline || until == now + timeout);
    }

    #[test]
    fn backoff_never_shrinks_from_one_retry_to_the_next(policy in any_policy(), n: u32) {
        prop_assert!(policy.backoff(n) <= policy.backoff(n.saturating_add(1)));
        prop_assert!(policy.backoff(n) <= policy.settings().max_delay);
        prop_assert!(policy.backoff(n) >= policy.backoff(0));
    }

    #[test]
    fn a_pause_is_what_was_asked_for_or_long(policy in any_policy(), asked in any_duration(), seed: u64) {
        let entropy = SeededEntropy::new(seed);
        let settings = policy.settings();
        prop_assert_eq!(policy.pause(Some(asked), &entropy), asked.min(settings.max_retry_after));
        let unasked = policy.pause(None, &entropy);
        prop_assert!((settings.max_delay / 2..=settings.max_delay).contains(&unasked));
    }
}

#[test]
fn each_reason_to_give_up_has_a_message_of_its_own() {
    use GiveUpReason::{AttemptsUsedUp, BudgetExhausted, Deadline, Permanent};
    let told: BTreeSet<String> =
        [Permanent, AttemptsUsedUp, Deadline, BudgetExhausted].iter().map(ToString::to_string).collect();
    assert!(told.len() == 4 && told.iter().all(|words| !words.is_empty()), "{told:?}");
}

#[test]
fn by_default_a_call_is_tried_three_times() {
    let policy = RetryPolicy::default();
    let entropy = SeededEntropy::new(0);
    let mut retry = Retry::new(&policy, Moment::MAX);
    for _ in 0..2 {
        let decision = retry.next(Class::Transient, None, Moment::ZERO, &entropy);
        assert!(matches!(decision, Decision::RetryAt(_)));
    }
    let decision = retry.next(Class::Transient, None, Moment::ZERO, &entropy);
    assert_eq!(decision, Decision::GiveUp(GiveUpReason::AttemptsUsedUp));
}

#[test]
fn the_defaults_are_those_of_the_specification() {
    let expected = RetrySettings {
        max_attempts: 3,
        base_delay: Duration::from_secs(1),
        multiplier: 2.0,
        max_delay: Duration::from_secs(30),
        jitter: Jitter::Full,
        max_retry_after: Duration::from_mins(10),
    };
    assert_eq!(RetrySettings::default(), expected);
}

#[test]
fn statuses_400_401_and_404_end_a_call_at_its_first_attempt_whatever_the_upstream_asks_for() {
    let policy = RetryPolicy::default();
    for status in [400, 401, 404] {
        let class = Class::of_http_status(status).expect("a failure");
        let mut retry = Retry::new(&policy, Moment::MAX);
        let decision = retry.next(class, Some(Duration::ZERO), Moment::ZERO, &SeededEntropy::new(0));
        assert_eq!(decision, Decision::GiveUp(GiveUpReason::Permanent), "{status}");
    }
}

#[test]
fn a_wait_that_would_end_at_the_deadline_is_not_begun() {
    let policy = policy(RetrySettings { jitter: Jitter::None, ..RetrySettings::default() });
    let decide = |deadline_ms| {
        let deadline = Moment::from_origin(Duration::from_millis(deadline_ms));
        let mut retry = Retry::new(&policy, deadline);
        retry.next(Class::Transient, None, Moment::ZERO, &SeededEntropy::new(0))
    };
    assert_eq!(decide(1000), Decision::GiveUp(GiveUpReason::Deadline));
    assert_eq!(decide(1001), Decision::RetryAt(Moment::from_origin(Duration::from_secs(1))));
}

#[test]
fn retry_after_is_obeyed_up_to_the_cap() {
    let policy = policy(RetrySettings { jitter: Jitter::None, ..RetrySettings::default() });
    for class in [Class::Transient, Class::RateLimited] {
        let mut retry = Retry::new(&policy, Moment::MAX);
        let decision = retry.next(class, Some(Duration::MAX), Moment::ZERO, &SeededEntropy::new(0));
        assert_eq!(decision, Decision::RetryAt(Moment::from_origin(Duration::from_mins(10))));
    }
}

#[test]
fn nothing_overflows_at_the_edges_of_every_setting() {
    let edges = [Duration::from_nanos(1), Duration::from_secs(1), Duration::MAX];
    let jitters = [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated];
    for (base_delay, multiplier) in edges.into_iter().flat_map(|base| [1.0, 2.0, f64::MAX].map(|m| (base, m)))
    {
        for (jitter, entropy) in
            jitters.into_iter().flat_map(|jitter| [0, u64::MAX].map(|bits| (jitter, Fixed(bits))))
        {
            let policy = policy(RetrySettings {
                max_attempts: u32::MAX,
                base_delay,
                multiplier,
                max_delay: Duration::MAX,
                jitter,
                max_retry_after: Duration::MAX,
            });
            assert_eq!(policy.backoff(0), base_delay);
            let at_last = if multiplier > 1.0 { Duration::MAX } else { base_delay };
            assert_eq!(policy.backoff(u32::MAX), at_last);
            for now in [Moment::ZERO, Moment::from_nanos(u64::MAX - 1), Moment::MAX] {
                let mut retry = Retry::new(&policy, Moment::MAX);
                for asked in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
                    for class in [Class::Transient, Class::RateLimited, Class::Transient] {
                        let decision = retry.next(class, asked, now, &entropy);
                        let fine = match decision {
                            Decision::RetryAt(at) => now <= at && at < Moment::MAX,
                            Decision::GiveUp(reason) => reason == GiveUpReason::Deadline,
                        };
                        assert!(fine, "{decision:?} at {now:?} with {policy:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn entropy_chooses_uniformly_between_the_bounds_of_a_wait() {
    let bounds =
        [(Jitter::Full, 0, 1_000), (Jitter::Equal, 500, 1_000), (Jitter::Decorrelated, 1_000, 3_000)];
    for (jitter, least, most) in bounds {
        let policy = policy(RetrySettings { jitter, ..RetrySettings::default() });
        for quarter in 0..4 {
            let entropy = Always(quarter as f64 / 4.0);
            let decision =
                Retry::new(&policy, Moment::MAX).next(Class::Transient, None, Moment::ZERO, &entropy);
            let wait = Duration::from_millis(least + (most - least) * quarter / 4);
            assert_eq!(decision, Decision::RetryAt(Moment::from_origin(wait)), "{jitter:?}, {quarter}/4");
        }
    }
}

#[test]
fn entropy_that_breaks_its_law_costs_spread_and_no_panic() {
    for unit in [1.0, -1.0, 1e300, f64::NAN, f64::INFINITY] {
        let policy = policy(RetrySettings {
            max_delay: Duration::MAX,
            max_retry_after: Duration::MAX,
            ..RetrySettings::default()
        });
        let pause = policy.pause(None, &Always(unit));
        assert!((Duration::MAX / 2..=Duration::MAX).contains(&pause));
    }
}

fn policy(settings: RetrySettings) -> RetryPolicy {
    RetryPolicy::try_new(settings).expect("valid settings")
}

/// Chance that always throws the same bits.
struct Fixed(u64);

impl Entropy for Fixed {
    fn next_u64(&self) -> u64 {
        self.0
    }
}

/// Chance that always gives the same, also outside of its range.
struct Always(f64);

impl Entropy for Always {
    fn next_u64(&self) -> u64 {
        0
    }

    fn unit(&self) -> f64 {
        self.0
    }
}
