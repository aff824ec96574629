//! Hedges: a second attempt beside one that takes long, its winner, its loser, and what it may cost.

use std::sync::Arc;
use std::time::Duration;

use ttm_breaker::BreakerSettings;
use ttm_guard::{GuardError, GuardSettings};
use ttm_kernel::Runtime;
use ttm_retry::{BudgetConfig, BudgetSettings, RetrySettings};

use crate::rig::{DOWN, Reply, Rig, at_ms};

/// A guard that hedges after 100 ms and has nothing else in the way.
fn hedging() -> GuardSettings {
    GuardSettings {
        requests_per_minute: None,
        hedge_after: Some(Duration::from_millis(100)),
        ..GuardSettings::default()
    }
}

fn rig(settings: GuardSettings) -> Rig {
    let once = RetrySettings { max_attempts: 1, ..RetrySettings::default() };
    Rig::with(1, settings, BreakerSettings::default(), once)
}

#[test]
fn a_call_that_answers_in_time_has_no_hedge() {
    let rig = rig(hedging());
    assert_eq!(rig.run(&[Reply::Ok(99)]).expect("it works"), 1);
    assert_eq!(rig.counts().successes, 1);
}

#[test]
fn the_hedge_wins_when_it_answers_first_and_the_loser_does_not_count_as_a_failure() {
    let rig = rig(hedging());
    assert_eq!(rig.run(&[Reply::Hangs, Reply::Ok(50)]).expect("the hedge works"), 2);
    assert_eq!(rig.now(), at_ms(150));
    let counts = rig.counts();
    assert_eq!((counts.successes, counts.failures, counts.ignored), (1, 0, 1));
}

#[test]
fn the_first_wins_when_it_answers_first() {
    let rig = rig(hedging());
    assert_eq!(rig.run(&[Reply::Ok(120), Reply::Hangs]).expect("the first works"), 2);
    assert_eq!(rig.now(), at_ms(120));
    assert_eq!((rig.counts().successes, rig.counts().ignored), (1, 1));
}

#[test]
fn one_that_fails_leaves_the_other_running() {
    for replies in
        [[Reply::Fails(130, TRANSIENT), Reply::Ok(60)], [Reply::Ok(160), Reply::Fails(30, TRANSIENT)]]
    {
        let rig = rig(hedging());
        assert_eq!(rig.run(&replies).expect("the other works"), 2);
        assert_eq!(rig.now(), at_ms(160));
        assert_eq!((rig.counts().successes, rig.counts().failures), (1, 1));
    }
}

const TRANSIENT: ttm_guard::Disposition = ttm_guard::Disposition::Transient { retry_after: None };

#[test]
fn when_both_fail_the_call_failed_once_for_its_retries_and_twice_for_the_breaker() {
    let rig = rig(hedging());
    let end = rig.run(&[Reply::Fails(130, TRANSIENT), Reply::Fails(60, TRANSIENT)]).expect_err("both fail");
    assert!(matches!(end, GuardError::Failed { attempts: 2, .. }), "{end}");
    assert_eq!(rig.counts().failures, 2);
}

#[test]
fn when_neither_answers_the_first_alone_was_too_slow() {
    let rig = rig(hedging());
    let end = rig.run(&[Reply::Hangs]).expect_err("both hang");
    assert!(matches!(end, GuardError::TimedOut { attempts: 2 }), "{end}");
    assert_eq!(rig.now(), at_ms(5_000));
    let counts = rig.counts();
    assert_eq!((counts.failures, counts.ignored), (1, 1));
}

#[test]
fn hedges_are_paid_from_the_budget_of_the_retries() {
    let budget = BudgetSettings { deposit: 0.0, reserve_per_second: 1.0, ..BudgetSettings::default() };
    let budget = BudgetConfig::try_new(budget).expect("valid settings");
    let rig = rig(GuardSettings { budget: Some(budget), ..hedging() });
    assert_eq!(rig.run(&[Reply::Ok(150)]).expect("it works"), 2);
    // The reserve is empty: no second hedge within the second.
    assert_eq!(rig.run(&[Reply::Ok(150)]).expect("it works"), 1);
    assert_eq!(rig.guard.budget().map(ttm_retry::RetryBudget::exhausted_total), Some(1));
}

#[test]
fn a_hedge_waits_for_no_turn_and_for_no_place() {
    // A turn every 6 seconds, and one place.
    let slow = GuardSettings { requests_per_minute: Some(10), headroom_percent: 0.0, ..hedging() };
    let narrow = GuardSettings { max_concurrent: Some(1), ..hedging() };
    for settings in [slow, narrow] {
        let rig = rig(settings);
        assert_eq!(rig.run(&[Reply::Ok(150)]).expect("it works"), 1);
        let budget = rig.guard.budget().expect("it has one");
        assert!(budget.withdraw(rig.now()).is_some(), "what was not used was given back");
    }
}

#[test]
fn a_hedge_uses_a_turn_that_is_there() {
    let a_turn_every_tenth =
        GuardSettings { requests_per_minute: Some(600), headroom_percent: 0.0, ..hedging() };
    let rig = rig(a_turn_every_tenth);
    assert_eq!(rig.run(&[Reply::Hangs, Reply::Ok(50)]).expect("the hedge works"), 2);
    // The next one has the turn after the hedge's.
    assert_eq!(rig.run(&[Reply::Ok(0)]).expect("it works"), 1);
    assert_eq!(rig.now(), at_ms(200));
}

#[test]
fn no_hedge_begins_when_there_is_no_time_left_for_it() {
    let rig = rig(hedging());
    let end = rig.runtime.block_on(rig.call(at_ms(100), &[Reply::Hangs])).expect_err("no time");
    assert!(matches!(end, GuardError::TimedOut { attempts: 1 }), "{end}");
}

#[test]
fn a_probe_goes_alone() {
    let rig = rig(hedging());
    for _ in 0..5 {
        rig.run(&[DOWN]).expect_err("these open the breaker");
    }
    rig.runtime.clock().set(at_ms(60_000));
    assert_eq!(rig.run(&[Reply::Ok(150)]).expect("it works"), 1);
}

#[test]
fn a_cancelled_call_cancels_both() {
    let rig = rig(hedging());
    let call = rig.runtime.spawn(
        "call",
        Box::pin({
            let call = rig.call(ttm_kernel::Moment::MAX, &[Reply::Hangs]);
            async move { drop(call.await) }
        }),
    );
    rig.runtime.block_on(rig.runtime.sleep_until(at_ms(200)));
    call.abort();
    rig.runtime.block_on(call);
    assert_eq!(Arc::strong_count(&rig.guard), 1, "nothing is left of the call");
    let counts = rig.counts();
    assert_eq!((counts.failures, counts.ignored), (0, 2));
}
