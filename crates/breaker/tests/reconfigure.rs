//! What a breaker keeps when its settings change, and when the new ones apply.
#![cfg(not(any(loom, shuttle)))]

use std::sync::Arc;
use std::time::Duration;

use ttm_breaker::{
    Breaker, BreakerConfig, BreakerSettings, CountAs, Outcome, RateSettings, RejectReason, Rejected,
    SlowCallSettings, State, TransitionReason, Verdict, Window,
};
use ttm_kernel::Moment;
use ttm_testkit::SeededEntropy;

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn config(settings: BreakerSettings) -> BreakerConfig {
    BreakerConfig::try_new(settings).expect("valid settings")
}

fn breaker(settings: BreakerSettings) -> Breaker {
    Breaker::new("subject", config(settings), Arc::new(SeededEntropy::new(0)))
}

/// One failure opens it.
fn hasty() -> BreakerSettings {
    BreakerSettings { failure_threshold: Some(1), ..BreakerSettings::default() }
}

fn by_rates(rates: RateSettings) -> BreakerSettings {
    BreakerSettings { failure_threshold: None, rates: Some(rates), ..BreakerSettings::default() }
}

fn call(breaker: &Breaker, outcome: Outcome, now: Moment) {
    assert_eq!(breaker.admit(now).expect("admitted").report(outcome, now), Verdict::Counted);
}

fn state(breaker: &Breaker, now: Moment) -> State {
    breaker.snapshot(now).state
}

#[test]
fn an_open_period_keeps_its_deadline_and_the_next_one_has_the_new_length() {
    let breaker = breaker(hasty());
    call(&breaker, Outcome::Failure, at(0));
    for seconds in [1, 600] {
        let recovery_timeout = Duration::from_secs(seconds);
        breaker.reconfigure(config(BreakerSettings { recovery_timeout, ..hasty() }), at(10));
        let rejected = Rejected { retry_at: at(60), reason: RejectReason::Open };
        assert_eq!(breaker.check(at(59)), Err(rejected));
    }
    // A failed recovery doubles the period, up to ten minutes.
    call(&breaker, Outcome::Failure, at(60));
    assert_eq!(breaker.snapshot(at(60)).retry_at, Some(at(660)));
}

#[test]
fn an_operator_s_order_stands() {
    let breaker = breaker(hasty());
    breaker.force_open(at(0));
    breaker.reconfigure(config(BreakerSettings { metrics_only: true, ..hasty() }), at(1));
    assert_eq!(state(&breaker, at(1)), State::ForcedOpen);
    breaker.disable(at(2));
    breaker.reconfigure(config(hasty()), at(3));
    call(&breaker, Outcome::Failure, at(3));
    assert_eq!(state(&breaker, at(3)), State::Disabled);
}

#[test]
fn a_lower_threshold_opens_with_the_next_failure_and_not_by_itself() {
    let breaker = breaker(BreakerSettings::default());
    for _ in 0..4 {
        call(&breaker, Outcome::Failure, at(0));
    }
    let generation = breaker.snapshot(at(0)).generation;
    breaker.reconfigure(config(BreakerSettings { failure_threshold: Some(2), ..hasty() }), at(1));
    let shown = breaker.snapshot(at(1));
    assert_eq!((shown.state, shown.generation), (State::Closed, generation));
    assert_eq!(shown.counts.consecutive_failures, 4);
    call(&breaker, Outcome::Failure, at(1));
    assert_eq!(state(&breaker, at(1)), State::Open);
}

#[test]
fn a_lower_rate_that_is_reached_already_opens_with_the_next_call_whatever_its_outcome() {
    let half = RateSettings { window: Window::Calls(10), minimum_calls: 10, ..RateSettings::default() };
    let breaker = breaker(by_rates(half));
    for number in 0..10 {
        call(&breaker, if number < 4 { Outcome::Failure } else { Outcome::Success }, at(0));
    }
    breaker.reconfigure(config(by_rates(RateSettings { failure_rate: 0.3, ..half })), at(1));
    assert_eq!(state(&breaker, at(1)), State::Closed);
    call(&breaker, Outcome::Success, at(1));
    assert_eq!(state(&breaker, at(1)), State::Open);
}

#[test]
fn a_window_of_another_size_or_kind_starts_empty_and_the_same_one_keeps_its_calls() {
    let rates =
        |window, failure_rate| RateSettings { window, minimum_calls: 1, failure_rate, slow_calls: None };
    let breaker = breaker(by_rates(rates(Window::Calls(10), 1.0)));
    let calls = || breaker.snapshot(at(2)).window.expect("closed, with rates").calls;
    for _ in 0..5 {
        call(&breaker, Outcome::Success, at(1));
    }
    breaker.reconfigure(config(by_rates(rates(Window::Calls(10), 0.9))), at(1));
    assert_eq!(calls(), 5);
    for window in
        [Window::Calls(11), Window::Time(Duration::from_secs(10)), Window::Time(Duration::from_secs(20))]
    {
        breaker.reconfigure(config(by_rates(rates(window, 1.0))), at(2));
        assert_eq!(calls(), 0, "{window:?}");
        call(&breaker, Outcome::Success, at(2));
        assert_eq!(calls(), 1, "{window:?}");
    }
    assert_eq!(breaker.snapshot(at(2)).counts.successes, 8, "the counts of the generation go on");
}

#[test]
fn a_lower_limit_on_probes_decides_at_once_when_no_further_probe_could() {
    let patient = BreakerSettings { half_open_max_calls: 5, success_threshold: 5, ..hasty() };
    let breaker = breaker(patient.clone());
    call(&breaker, Outcome::Failure, at(0));
    for _ in 0..3 {
        call(&breaker, Outcome::Success, at(60));
    }
    assert_eq!(state(&breaker, at(60)), State::HalfOpen);
    breaker.reconfigure(
        config(BreakerSettings { half_open_max_calls: 3, success_threshold: 3, ..patient }),
        at(60),
    );
    assert_eq!(state(&breaker, at(60)), State::Closed);
    let told: Vec<_> = std::iter::from_fn(|| breaker.poll_transition()).map(|told| told.reason).collect();
    assert_eq!(told[2..], [TransitionReason::ProbesSucceeded]);
}

#[test]
fn probes_keep_their_lease_and_more_of_them_may_come() {
    let one = BreakerSettings { half_open_max_calls: 1, success_threshold: 1, ..hasty() };
    let breaker = breaker(one);
    call(&breaker, Outcome::Failure, at(0));
    let first = breaker.admit(at(60)).expect("a probe");
    let short = BreakerSettings {
        half_open_max_calls: 2,
        success_threshold: 2,
        probe_lease: Duration::from_secs(5),
        ..hasty()
    };
    breaker.reconfigure(config(short), at(60));
    let second = breaker.admit(at(60)).expect("a second probe");
    let full = breaker.check(at(60)).expect_err("two are out");
    assert_eq!(full.retry_at, at(65), "the shorter lease ends first");
    assert_eq!(second.success(at(66)), Verdict::Stale);
    assert_eq!(first.success(at(66)), Verdict::Counted);
}

#[test]
fn metrics_only_closes_an_open_breaker_and_turning_it_off_opens_none() {
    let breaker = breaker(hasty());
    let counting = BreakerSettings { metrics_only: true, ..hasty() };
    call(&breaker, Outcome::Failure, at(0));
    breaker.reconfigure(config(counting), at(1));
    let (_, closed) = (breaker.poll_transition(), breaker.poll_transition().expect("it closed"));
    assert_eq!((closed.to, closed.reason), (State::Closed, TransitionReason::Reconfigured));
    call(&breaker, Outcome::Failure, at(1));
    assert_eq!(state(&breaker, at(1)), State::Closed);
    breaker.reconfigure(config(hasty()), at(2));
    assert_eq!(state(&breaker, at(2)), State::Closed, "not by the change itself");
    call(&breaker, Outcome::Failure, at(2));
    assert_eq!(state(&breaker, at(2)), State::Open);
}

#[test]
fn a_call_that_was_admitted_untimed_is_not_slow_and_the_next_one_is() {
    let breaker = breaker(BreakerSettings::default());
    let untimed = breaker.admit(at(0)).expect("closed");
    let slow = SlowCallSettings { duration: Duration::from_secs(5), rate: 1.0 };
    let rates = RateSettings { minimum_calls: 2, slow_calls: Some(slow), ..RateSettings::default() };
    breaker.reconfigure(config(by_rates(rates)), at(100));
    let timed = breaker.admit(at(100)).expect("closed");
    assert_eq!(untimed.success(at(200)), Verdict::Counted);
    assert_eq!(timed.success(at(200)), Verdict::Counted);
    let shown = breaker.snapshot(at(200));
    assert_eq!((shown.counts.successes, shown.counts.slow), (2, 1));
}

#[test]
fn a_call_under_way_counts_as_the_settings_at_its_end_say() {
    let breaker = breaker(BreakerSettings::default());
    let permit = breaker.admit(at(0)).expect("closed");
    let strict = BreakerSettings { on_cancel: CountAs::Failure, ..BreakerSettings::default() };
    breaker.reconfigure(config(strict), at(0));
    drop(permit);
    assert_eq!(breaker.snapshot(at(0)).counts.failures, 1);
}

#[test]
fn the_same_settings_change_nothing() {
    let rates = RateSettings { minimum_calls: 1, failure_rate: 1.0, ..RateSettings::default() };
    let settings = BreakerSettings { metrics_only: true, ..by_rates(rates) };
    let breaker = breaker(settings.clone());
    call(&breaker, Outcome::Failure, at(1));
    assert!(breaker.poll_transition().expect("it would have opened").suppressed.is_some());
    let before = breaker.snapshot(at(2));
    breaker.reconfigure(config(settings), at(2));
    assert_eq!(breaker.snapshot(at(2)), before);
    // Told once in a minute, which goes on too.
    call(&breaker, Outcome::Failure, at(3));
    assert_eq!(breaker.poll_transition(), None);
}
