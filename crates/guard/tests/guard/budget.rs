//! What retries cost, and how many calls run at once.

use std::time::Duration;

use ttm_breaker::BreakerSettings;
use ttm_guard::{GuardError, GuardSettings};
use ttm_kernel::{Moment, Runtime, Task, TaskEnd};
use ttm_retry::{BudgetConfig, BudgetSettings, GiveUpReason, RetrySettings};

use crate::rig::{DOWN, Reply, Rig, at_ms};

fn rig(settings: GuardSettings) -> Rig {
    let patient = BreakerSettings { failure_threshold: Some(1_000_000), ..BreakerSettings::default() };
    Rig::with(1, GuardSettings { requests_per_minute: None, ..settings }, patient, RetrySettings::default())
}

fn paid_from(budget: BudgetSettings) -> GuardSettings {
    let budget = Some(BudgetConfig::try_new(budget).expect("valid settings"));
    GuardSettings { budget, ..GuardSettings::default() }
}

#[test]
fn without_a_token_a_failure_is_the_last_one() {
    let none = BudgetSettings { deposit: 0.0, reserve_per_second: 0.0, ..BudgetSettings::default() };
    let rig = rig(paid_from(none));
    let end = rig.run(&[DOWN]).expect_err("it fails");
    assert!(
        matches!(end, GuardError::Failed { attempts: 1, gave_up: GiveUpReason::BudgetExhausted, .. }),
        "{end}"
    );
    assert_eq!(rig.now(), Moment::ZERO, "no call sleeps for a retry that it cannot pay");
}

#[test]
fn under_an_outage_retries_are_no_more_than_a_tenth_of_the_first_tries_and_the_reserve() {
    let rig = rig(GuardSettings::default());
    let calls: Vec<Task> = (0..1_000)
        .map(|call| {
            let (runtime, call_at) = (rig.runtime.clone(), at_ms(call * 10));
            let call = rig.call(Moment::MAX, &[DOWN]);
            let body = async move {
                runtime.sleep_until(call_at).await;
                call.await.expect_err("all fail");
            };
            rig.runtime.spawn("call", Box::pin(body))
        })
        .collect();
    rig.runtime.block_on(async {
        for call in calls {
            assert_eq!(call.await, TaskEnd::Finished);
        }
    });
    let retries = rig.attempts.events().len() - 1_000;
    // Ten seconds of first tries and the seconds of their last retries, at 3 a second, and the burst at the start.
    let seconds = rig.now().since_origin().as_secs_f64();
    let paid = 100.0 + 3.0 * (seconds + 1.0);
    assert!((retries as f64) <= paid, "{retries} retries, {paid} paid");
    assert!(retries > 100, "{retries} retries: the budget is there to be used");
}

#[test]
fn a_retry_that_is_never_made_costs_nothing() {
    let one = BudgetSettings { deposit: 0.0, reserve_per_second: 1.0, ..BudgetSettings::default() };
    let rig = rig(paid_from(one));
    let call = rig.call(Moment::MAX, &[DOWN]);
    let call = rig.runtime.spawn("call", Box::pin(async move { drop(call.await) }));
    // Cancelled in its sleep.
    rig.runtime.block_on(rig.runtime.sleep_until(at_ms(1)));
    call.abort();
    rig.runtime.block_on(call);
    assert!(rig.guard.budget().expect("it has one").withdraw(rig.now()).is_some());
}

#[test]
fn no_more_attempts_are_in_flight_than_the_limit_allows() {
    let rig = rig(GuardSettings { max_concurrent: Some(2), ..GuardSettings::default() });
    let calls: Vec<Task> = (0..5)
        .map(|_| {
            let call = rig.call(Moment::MAX, &[Reply::Ok(1_000)]);
            rig.runtime.spawn("call", Box::pin(async move { assert_eq!(call.await.expect("it works"), 1) }))
        })
        .collect();
    rig.runtime.block_on(async {
        for call in calls {
            assert_eq!(call.await, TaskEnd::Finished);
        }
    });
    let begun: Vec<Moment> = rig.attempts.events().into_iter().map(|(at, _)| at).collect();
    assert_eq!(begun, [0, 0, 1_000, 1_000, 2_000].map(at_ms));
}

#[test]
fn a_call_that_gets_no_place_before_its_deadline_makes_no_attempt() {
    let rig = rig(GuardSettings { max_concurrent: Some(1), ..GuardSettings::default() });
    let long = rig.call(Moment::MAX, &[Reply::Ok(4_000)]);
    let long =
        rig.runtime.spawn("call", Box::pin(async move { assert_eq!(long.await.expect("it works"), 1) }));
    let end = rig.runtime.block_on(rig.call(at_ms(300), &[Reply::Ok(0)])).expect_err("no place");
    assert!(matches!(end, GuardError::TimedOut { attempts: 0 }), "{end}");
    assert_eq!(rig.now(), at_ms(300));
    rig.runtime.block_on(long);
    assert_eq!(rig.runtime.block_on(rig.call(Moment::MAX, &[Reply::Ok(0)])).expect("there is one now"), 1);
}

#[test]
fn a_call_that_waits_to_retry_holds_no_place() {
    let rig = rig(GuardSettings { max_concurrent: Some(1), ..GuardSettings::default() });
    let failing = rig.call(Moment::MAX, &[DOWN]);
    let failing = rig.runtime.spawn("call", Box::pin(async move { drop(failing.await) }));
    rig.runtime.block_on(rig.runtime.sleep_until(at_ms(1)));
    let other = rig.runtime.block_on(rig.call(at_ms(2), &[Reply::Ok(0)]));
    assert_eq!(other.expect("the place is free"), 1);
    rig.runtime.block_on(failing);
    assert!(rig.now().since_origin() < Duration::from_secs(5));
}
