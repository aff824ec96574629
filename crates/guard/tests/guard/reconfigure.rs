//! What a guard keeps when its settings change, and when the new ones apply.

use std::sync::Arc;
use std::time::Duration;

use ttm_breaker::BreakerSettings;
use ttm_guard::{Disposition, GuardConfig, GuardError, GuardSettings};
use ttm_kernel::{Moment, Runtime, Task, TaskEnd};
use ttm_retry::{BudgetConfig, BudgetSettings, GiveUpReason, RetryPolicy, RetrySettings};

use crate::rig::{DOWN, Failed, Reply, Rig, at_ms};

fn once() -> RetrySettings {
    RetrySettings { max_attempts: 1, ..RetrySettings::default() }
}

/// A turn every 200 ms.
fn limited() -> GuardSettings {
    GuardSettings { headroom_percent: 0.0, ..GuardSettings::default() }
}

fn free() -> GuardSettings {
    GuardSettings { requests_per_minute: None, ..GuardSettings::default() }
}

fn rig(settings: GuardSettings) -> Rig {
    let patient = BreakerSettings { failure_threshold: Some(1_000_000), ..BreakerSettings::default() };
    Rig::with(1, settings, patient, once())
}

fn reconfigure(rig: &Rig, settings: GuardSettings, retry: RetrySettings) {
    let config = GuardConfig::try_new(settings).expect("valid settings");
    rig.guard.reconfigure(config, RetryPolicy::try_new(retry).expect("valid settings"));
}

fn spawn(rig: &Rig, replies: &[Reply]) -> Task {
    let call = rig.call(Moment::MAX, replies);
    rig.runtime.spawn("call", Box::pin(async move { drop(call.await) }))
}

fn sleep_until(rig: &Rig, ms: u64) {
    rig.runtime.block_on(rig.runtime.sleep_until(at_ms(ms)));
}

fn begun(rig: &Rig) -> Vec<Moment> {
    rig.attempts.events().into_iter().map(|(at, _)| at).collect()
}

fn finish(rig: &Rig, calls: Vec<Task>) {
    rig.runtime.block_on(async {
        for call in calls {
            assert_eq!(call.await, TaskEnd::Finished);
        }
    });
}

#[test]
fn callers_that_wait_when_the_rate_falls_take_new_turns_at_the_new_spacing() {
    let rig = rig(limited());
    let calls: Vec<Task> = (0..4).map(|_| spawn(&rig, &[Reply::Ok(0)])).collect();
    sleep_until(&rig, 300);
    reconfigure(&rig, GuardSettings { requests_per_minute: Some(60), ..limited() }, once());
    finish(&rig, calls);
    assert_eq!(begun(&rig), [0, 200, 1_300, 2_300].map(at_ms));
}

#[test]
fn a_rate_that_rises_applies_from_the_next_turn_on() {
    let rig = rig(GuardSettings { requests_per_minute: Some(60), ..limited() });
    finish(&rig, vec![spawn(&rig, &[Reply::Ok(0)])]);
    sleep_until(&rig, 100);
    reconfigure(&rig, limited(), once());
    finish(&rig, (0..2).map(|_| spawn(&rig, &[Reply::Ok(0)])).collect());
    assert_eq!(begun(&rig), [0, 200, 400].map(at_ms));
}

#[test]
fn a_new_limit_gives_its_first_turn_after_a_spacing_and_a_removed_one_delays_no_new_call() {
    let rig = rig(free());
    finish(&rig, vec![spawn(&rig, &[Reply::Ok(0)])]);
    reconfigure(&rig, limited(), once());
    let calls: Vec<Task> = (0..4).map(|_| spawn(&rig, &[Reply::Ok(0)])).collect();
    sleep_until(&rig, 300);
    reconfigure(&rig, free(), once());
    assert_eq!((rig.guard.rate(), rig.guard.save(), rig.guard.paused_until()), (None, None, Moment::ZERO));
    let unlimited = spawn(&rig, &[Reply::Ok(0)]);
    finish(&rig, vec![unlimited]);
    assert_eq!(begun(&rig), [0, 200, 300].map(at_ms));
    // Those that waited already wake at the turns that they had.
    finish(&rig, calls);
    assert_eq!(begun(&rig)[3..], [400, 600, 800].map(at_ms));
}

#[test]
fn a_pause_that_the_upstream_asked_for_is_kept() {
    let rig = rig(limited());
    let retry_after = Some(Duration::from_secs(20));
    rig.run(&[Reply::Fails(0, Disposition::RateLimited { retry_after })]).expect_err("too many");
    reconfigure(&rig, GuardSettings { requests_per_minute: Some(600), ..limited() }, once());
    assert_eq!(rig.guard.paused_until(), at_ms(20_000));
    rig.run(&[Reply::Ok(0)]).expect("it works");
    assert_eq!(rig.now(), at_ms(20_000));
    let share = rig.guard.rate().expect("there is a limit").share;
    assert!((share - 0.5).abs() < 1e-9, "{share}");
}

#[test]
fn a_lower_limit_on_concurrency_waits_for_attempts_in_flight_and_a_higher_one_admits_those_that_wait() {
    let narrow = |most| GuardSettings { max_concurrent: most, ..free() };
    let rig = rig(narrow(Some(2)));
    let calls: Vec<Task> = (0..5).map(|_| spawn(&rig, &[Reply::Ok(1_000)])).collect();
    sleep_until(&rig, 500);
    reconfigure(&rig, narrow(Some(1)), once());
    sleep_until(&rig, 1_500);
    assert_eq!(begun(&rig), [0, 0, 1_000].map(at_ms));
    reconfigure(&rig, narrow(None), once());
    finish(&rig, calls);
    assert_eq!(begun(&rig)[3..], [1_500, 1_500].map(at_ms));
}

#[test]
fn a_deadline_and_an_attempt_timeout_apply_from_the_next_call_on() {
    let rig = rig(free());
    let before = rig.call(Moment::MAX, &[Reply::Hangs]);
    let before = rig.runtime.spawn("call", Box::pin(async move { drop(before.await) }));
    sleep_until(&rig, 10);
    let second = Duration::from_secs(1);
    reconfigure(&rig, GuardSettings { attempt_timeout: second, deadline: second, ..free() }, once());
    let end = rig.run(&[Reply::Hangs]);
    assert!(matches!(end, Err(GuardError::TimedOut { attempts: 1 })), "{end:?}");
    assert_eq!(rig.now(), at_ms(1_010));
    rig.runtime.block_on(before);
    assert_eq!(rig.now(), at_ms(5_000));
}

#[test]
fn an_attempt_timeout_that_was_set_is_kept_unless_the_config_changes_its_own_and_is_cut_to_the_deadline() {
    let rig = rig(free());
    let set = Duration::from_secs(3);
    rig.guard.set_attempt_timeout(set);
    reconfigure(&rig, limited(), once());
    assert_eq!(rig.guard.attempt_timeout(), set);
    let attempt_timeout = Duration::from_secs(2);
    reconfigure(&rig, GuardSettings { attempt_timeout, ..free() }, once());
    assert_eq!(rig.guard.attempt_timeout(), attempt_timeout);
    rig.guard.set_attempt_timeout(Duration::from_secs(30));
    reconfigure(&rig, GuardSettings { attempt_timeout, deadline: set, ..free() }, once());
    assert_eq!(rig.guard.attempt_timeout(), set);
}

#[test]
fn a_call_that_waits_to_retry_keeps_its_policy_and_the_next_call_has_the_new_one() {
    let rig = rig(free());
    let policy = RetrySettings { max_attempts: 2, ..RetrySettings::default() };
    reconfigure(&rig, free(), policy);
    let waiting = spawn(&rig, &[DOWN]);
    sleep_until(&rig, 0);
    assert_eq!(rig.attempts.events().len(), 1);
    reconfigure(&rig, free(), once());
    finish(&rig, vec![waiting]);
    assert_eq!(rig.attempts.take().len(), 2);
    rig.run(&[DOWN]).expect_err("it is down");
    assert_eq!(rig.attempts.take().len(), 1);
}

#[test]
fn a_budget_keeps_its_balance_and_retries_are_free_only_while_there_is_none() {
    let twice = || RetrySettings { max_attempts: 2, ..RetrySettings::default() };
    let with = |budget: Option<BudgetSettings>| {
        let budget = budget.map(|settings| BudgetConfig::try_new(settings).expect("valid settings"));
        GuardSettings { budget, ..free() }
    };
    let none = BudgetSettings { deposit: 0.0, reserve_per_second: 0.0, ..BudgetSettings::default() };
    let rig = rig(with(Some(BudgetSettings { deposit: 1.0, ..none.clone() })));
    rig.run(&[Reply::Ok(0)]).expect("it works");
    reconfigure(&rig, with(Some(none.clone())), twice());
    assert!((rig.guard.budget().expect("it has one").balance() - 1.0).abs() < 1e-9);
    rig.run(&[DOWN, Reply::Ok(0)]).expect("the token pays for the second attempt");
    let refused = rig.run(&[DOWN]);
    assert!(
        matches!(refused, Err(GuardError::Failed { gave_up: GiveUpReason::BudgetExhausted, .. })),
        "{refused:?}"
    );
    reconfigure(&rig, with(None), twice());
    assert!(rig.guard.budget().is_none());
    rig.run(&[DOWN, Reply::Ok(0)]).expect("it is free");
}

#[test]
fn a_turn_that_was_taken_before_is_used_after() {
    let rig = rig(limited());
    let answer = rig.runtime.block_on(async {
        let turn = rig.guard.turn(Moment::MAX).await.expect("the breaker is closed");
        reconfigure(&rig, GuardSettings { max_concurrent: Some(1), ..limited() }, once());
        let classify = |Failed(disposition): &Failed| *disposition;
        rig.guard.call_on(turn, Moment::MAX, classify, rig.operation(&[Reply::Ok(0)])).await
    });
    assert_eq!(answer.expect("it works"), 1);
    assert_eq!(Arc::strong_count(&rig.guard), 1);
}
