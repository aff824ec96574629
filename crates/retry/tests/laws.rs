//! The laws of retrying, over any policy, any failures and any time.

use std::time::Duration;

use proptest::prelude::*;
use ttm_kernel::Moment;
use ttm_retry::{Class, Decision, GiveUpReason, Jitter, Retry, RetryPolicy, RetrySettings};
use ttm_testkit::SeededEntropy;

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (1_u64..1_000_000).prop_map(Duration::from_millis),
        1 => (1_u64..1_000).prop_map(Duration::from_nanos),
        1 => Just(Duration::MAX),
    ]
}

fn any_jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![Just(Jitter::None), Just(Jitter::Full), Just(Jitter::Equal), Just(Jitter::Decorrelated)]
}

fn any_policy() -> impl Strategy<Value = RetryPolicy> {
    let attempts = prop_oneof![4 => 1_u32..10, 1 => Just(u32::MAX)];
    let multiplier = prop_oneof![4 => 1.0_f64..10.0, 1 => Just(f64::MAX)];
    (attempts, any_duration(), multiplier, any_duration(), any_jitter(), any_duration()).prop_map(
        |(max_attempts, base_delay, multiplier, max_delay, jitter, max_retry_after)| {
            let max_delay = max_delay.max(base_delay);
            let max_retry_after = max_retry_after.max(max_delay);
            let settings =
                RetrySettings { max_attempts, base_delay, multiplier, max_delay, jitter, max_retry_after };
            RetryPolicy::try_new(settings).expect("ordered by the strategy")
        },
    )
}

fn any_class() -> impl Strategy<Value = Class> {
    prop_oneof![4 => Just(Class::Transient), 2 => Just(Class::RateLimited), 1 => Just(Class::Permanent)]
}

proptest! {
    #[test]
    fn a_call_keeps_its_deadline_its_number_of_attempts_and_what_the_far_side_asked_for(
        policy in any_policy(),
        deadline in any_duration(),
        failures in prop::collection::vec((any_class(), prop::option::of(any_duration()), 0_u64..10_000), 1..30),
        seed: u64,
    ) {
        let entropy = SeededEntropy::new(seed);
        let settings = policy.settings();
        let deadline = Moment::from_origin(deadline);
        let mut retry = Retry::new(&policy, deadline);
        let mut now = Moment::ZERO;
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
                        prop_assert!(at - now >= asked.min(settings.max_retry_after));
                    } else if class == Class::Transient {
                        prop_assert!(at - now <= settings.max_delay);
                    } else {
                        prop_assert!(at - now >= settings.max_delay / 2);
                    }
                    if settings.jitter == Jitter::None {
                        // Being told "at once" is no leave to hammer.
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
