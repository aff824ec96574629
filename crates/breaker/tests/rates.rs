//! The rules that look at shares of the last calls: windows that slide, slow calls, what probes may fail, and the mode
//! that only counts.

use std::sync::Arc;
use std::time::Duration;

use ttm_breaker::{
    Breaker, BreakerConfig, BreakerSettings, Outcome, RateSettings, SlowCallSettings, State, SuppressedBy,
    TransitionReason, Window, WindowCounts,
};
use ttm_kernel::Moment;
use ttm_testkit::SeededEntropy;

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

/// A breaker that looks at rates alone.
fn breaker(rates: RateSettings) -> Breaker {
    with(BreakerSettings { failure_threshold: None, rates: Some(rates), ..BreakerSettings::default() })
}

fn with(settings: BreakerSettings) -> Breaker {
    let config = BreakerConfig::try_new(settings).expect("valid settings");
    Breaker::new("subject", config, Arc::new(SeededEntropy::new(7)))
}

fn last_calls(size: u32) -> RateSettings {
    RateSettings { window: Window::Calls(size), minimum_calls: 10, failure_rate: 0.5, slow_calls: None }
}

fn last_seconds(seconds: u64) -> RateSettings {
    RateSettings { window: Window::Time(Duration::from_secs(seconds)), ..last_calls(10) }
}

fn call(breaker: &Breaker, outcome: Outcome, now: Moment) {
    breaker.admit(now).expect("admitted").report(outcome, now);
}

fn calls(breaker: &Breaker, number: u32, outcome: Outcome, now: Moment) {
    for _ in 0..number {
        call(breaker, outcome, now);
    }
}

fn state(breaker: &Breaker, now: Moment) -> State {
    breaker.snapshot(now).state
}

/// Why it made its newest transition.
fn last_reason(breaker: &Breaker) -> Option<TransitionReason> {
    std::iter::from_fn(|| breaker.poll_transition()).last().map(|transition| transition.reason)
}

#[test]
fn after_a_thousand_successes_half_of_the_last_hundred_calls_open_it() {
    let breaker = breaker(last_calls(100));
    calls(&breaker, 1_000, Outcome::Success, at(0));
    calls(&breaker, 49, Outcome::Failure, at(0));
    assert_eq!(state(&breaker, at(0)), State::Closed);
    call(&breaker, Outcome::Failure, at(0));
    assert_eq!(state(&breaker, at(0)), State::Open);
    assert_eq!(last_reason(&breaker), Some(TransitionReason::FailureRate));
}

#[test]
fn failures_leave_the_window_as_calls_push_them_out() {
    let breaker = breaker(last_calls(100));
    calls(&breaker, 100, Outcome::Success, at(0));
    calls(&breaker, 49, Outcome::Failure, at(0));
    calls(&breaker, 80, Outcome::Success, at(0));
    let window = breaker.snapshot(at(0)).window.expect("closed, with rates");
    assert_eq!(window, WindowCounts { calls: 100, failures: 20, slow: 0 });
    calls(&breaker, 29, Outcome::Failure, at(0));
    assert_eq!(state(&breaker, at(0)), State::Closed, "29 of the last 100");
}

#[test]
fn no_rate_counts_before_the_minimum_and_the_call_that_reaches_it_may_be_a_success() {
    let breaker = breaker(last_calls(100));
    calls(&breaker, 9, Outcome::Failure, at(0));
    assert_eq!(state(&breaker, at(0)), State::Closed);
    call(&breaker, Outcome::Success, at(0));
    assert_eq!(state(&breaker, at(0)), State::Open, "nine of ten");
}

#[test]
fn ignored_calls_are_not_in_the_window() {
    let breaker = breaker(last_calls(100));
    calls(&breaker, 50, Outcome::Ignored, at(0));
    calls(&breaker, 50, Outcome::RateLimited { retry_at: None }, at(0));
    calls(&breaker, 9, Outcome::Failure, at(0));
    assert_eq!(breaker.snapshot(at(0)).window, Some(WindowCounts { calls: 9, failures: 9, slow: 0 }));
    assert_eq!(state(&breaker, at(0)), State::Closed);
}

#[test]
fn a_time_window_forgets_what_is_older_than_it() {
    let breaker = breaker(last_seconds(32));
    calls(&breaker, 9, Outcome::Failure, at(0));
    // 32 s later the first second is out of the window, and these are two of the two calls in it.
    calls(&breaker, 2, Outcome::Failure, at(32));
    assert_eq!(breaker.snapshot(at(32)).window, Some(WindowCounts { calls: 2, failures: 2, slow: 0 }));
    assert_eq!(state(&breaker, at(32)), State::Closed);
}

#[test]
fn a_success_at_the_very_end_of_a_step_belongs_to_the_next() {
    // Steps of one second.
    let breaker = breaker(last_seconds(32));
    calls(&breaker, 10, Outcome::Success, at(0));
    call(&breaker, Outcome::Success, at(1));
    call(&breaker, Outcome::Success, at(32));
    assert_eq!(breaker.snapshot(at(32)).window, Some(WindowCounts { calls: 2, failures: 0, slow: 0 }));
}

#[test]
fn successes_that_expire_can_open_it_with_the_next_call_whatever_its_outcome() {
    let breaker = breaker(RateSettings { minimum_calls: 5, ..last_seconds(32) });
    calls(&breaker, 20, Outcome::Success, at(0));
    calls(&breaker, 9, Outcome::Failure, at(20));
    assert_eq!(state(&breaker, at(31)), State::Closed, "9 of 29");
    call(&breaker, Outcome::Success, at(32));
    assert_eq!(state(&breaker, at(32)), State::Open, "9 of 10");
}

#[test]
fn a_long_idle_breaker_starts_from_an_empty_window() {
    let breaker = breaker(last_seconds(10));
    for (idle, seconds) in [(0, 1), (1, 1_000), (2, 1_000_000_000)] {
        calls(&breaker, 9, Outcome::Failure, at(seconds));
        let window = breaker.snapshot(at(seconds)).window.expect("closed, with rates");
        assert_eq!(window.calls, 9, "after {idle} long waits");
    }
    // The last moment there is: its bucket never ends.
    calls(&breaker, 9, Outcome::Success, Moment::MAX);
    calls(&breaker, 9, Outcome::Failure, Moment::MAX);
    assert_eq!(state(&breaker, Moment::MAX), State::Open);
}

#[test]
fn an_older_reading_of_the_clock_moves_no_window() {
    let breaker = breaker(last_seconds(32));
    calls(&breaker, 5, Outcome::Failure, at(100));
    calls(&breaker, 4, Outcome::Failure, at(3));
    assert_eq!(breaker.snapshot(at(3)).window, Some(WindowCounts { calls: 9, failures: 9, slow: 0 }));
    call(&breaker, Outcome::Failure, at(50));
    assert_eq!(breaker.snapshot(at(50)).retry_at, Some(at(160)), "counted from the newest reading");
}

#[test]
fn the_shortest_and_the_longest_window_are_windows() {
    for length in [Duration::from_nanos(1), Duration::MAX] {
        let breaker = breaker(RateSettings { window: Window::Time(length), ..last_calls(10) });
        calls(&breaker, 10, Outcome::Failure, at(5));
        assert_eq!(state(&breaker, at(5)), State::Open, "{length:?}");
    }
    let one_call = breaker(RateSettings { minimum_calls: 1, ..last_calls(1) });
    calls(&one_call, 5, Outcome::Success, at(0));
    call(&one_call, Outcome::Failure, at(0));
    assert_eq!(state(&one_call, at(0)), State::Open);
}

fn slow(rates: RateSettings) -> RateSettings {
    let slow_calls = Some(SlowCallSettings { duration: Duration::from_secs(2), rate: 0.5 });
    RateSettings { slow_calls, ..rates }
}

#[test]
fn calls_that_work_but_are_slow_open_it() {
    let breaker = breaker(slow(last_calls(100)));
    for second in 0..10 {
        assert_eq!(state(&breaker, at(second)), State::Closed);
        let permit = breaker.admit(at(second)).expect("closed");
        permit.success(at(second) + Duration::from_secs(if second % 2 == 0 { 2 } else { 1 }));
    }
    assert_eq!(state(&breaker, at(10)), State::Open);
    assert_eq!(last_reason(&breaker), Some(TransitionReason::SlowCallRate));
}

#[test]
fn a_caller_that_measured_its_call_need_not_read_a_clock() {
    let breaker = breaker(slow(last_calls(100)));
    for took in [1_999, 2_000] {
        let permit = breaker.admit(at(0)).expect("closed");
        permit.report_timed(Outcome::Success, Duration::from_millis(took), at(0));
    }
    let counts = breaker.snapshot(at(0)).counts;
    assert_eq!((counts.successes, counts.slow), (2, 1));
}

#[test]
fn by_rates_some_probes_may_fail_but_never_so_many_that_it_cannot_close() {
    let settings = BreakerSettings {
        failure_threshold: None,
        rates: Some(last_calls(100)),
        half_open_max_calls: 5,
        success_threshold: 3,
        ..BreakerSettings::default()
    };
    let half_open = || {
        let breaker = with(settings.clone());
        calls(&breaker, 10, Outcome::Failure, at(0));
        breaker
    };
    // Two of five are under half.
    let breaker = half_open();
    calls(&breaker, 2, Outcome::Failure, at(60));
    calls(&breaker, 3, Outcome::Success, at(60));
    assert_eq!(state(&breaker, at(60)), State::Closed);
    // Three are not.
    let breaker = half_open();
    calls(&breaker, 2, Outcome::Success, at(60));
    calls(&breaker, 3, Outcome::Failure, at(60));
    assert_eq!(state(&breaker, at(60)), State::Open);
    assert_eq!(last_reason(&breaker), Some(TransitionReason::ProbesFailed));
    // When all five must succeed, one failure is the end, whatever the rate.
    let breaker = with(BreakerSettings { success_threshold: 5, ..settings.clone() });
    calls(&breaker, 10, Outcome::Failure, at(0));
    call(&breaker, Outcome::Failure, at(60));
    assert_eq!(state(&breaker, at(60)), State::Open);
}

#[test]
fn slow_probes_open_it_again() {
    let rates = Some(slow(last_calls(100)));
    let breaker = with(BreakerSettings { failure_threshold: None, rates, ..BreakerSettings::default() });
    calls(&breaker, 10, Outcome::Failure, at(0));
    for _ in 0..2 {
        breaker.admit(at(60)).expect("a probe").success(at(63));
    }
    assert_eq!(state(&breaker, at(63)), State::Open, "two of three were slow");
    assert_eq!(last_reason(&breaker), Some(TransitionReason::ProbesSlow));
    assert_eq!(
        breaker.snapshot(at(63)).retry_at.map(|at| at > Moment::from_origin(Duration::from_secs(123))),
        Some(true)
    );
}

#[test]
fn a_breaker_that_only_counts_tells_once_in_a_period_that_it_would_have_opened() {
    let breaker = with(BreakerSettings { metrics_only: true, ..BreakerSettings::default() });
    for second in 0..120 {
        call(&breaker, Outcome::Failure, at(second));
    }
    assert_eq!(state(&breaker, at(120)), State::Closed);
    assert_eq!(breaker.snapshot(at(120)).counts.failures, 120);
    let told: Vec<_> = std::iter::from_fn(|| breaker.poll_transition()).collect();
    let story: Vec<_> = told.iter().map(|t| (t.at, t.to, t.suppressed, t.retry_at)).collect();
    let suppressed = Some(SuppressedBy::MetricsOnly);
    assert_eq!(
        story,
        [(at(4), State::Open, suppressed, Some(at(64))), (at(64), State::Open, suppressed, Some(at(124))),]
    );
    breaker.force_open(at(121));
    assert_eq!(state(&breaker, at(121)), State::ForcedOpen, "an operator can");
}

#[test]
fn a_breaker_that_only_counts_does_not_open_because_another_process_did() {
    let enforcing = with(BreakerSettings::default());
    calls(&enforcing, 5, Outcome::Failure, at(0));
    let counting = with(BreakerSettings { metrics_only: true, ..BreakerSettings::default() });
    counting.restore(enforcing.save(at(1)), Duration::ZERO, at(0));
    assert_eq!(state(&counting, at(0)), State::Closed);
}

#[test]
fn successes_of_threads_that_ended_are_not_lost_and_their_lines_go_to_others() {
    // More threads than there are lines, at once and one after the other.
    let breaker = breaker(last_calls(100));
    calls(&breaker, 10, Outcome::Success, at(0));
    for _ in 0..3 {
        let start = std::sync::Barrier::new(100);
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    start.wait();
                    calls(&breaker, 50, Outcome::Success, at(0));
                });
            }
        });
    }
    assert_eq!(breaker.snapshot(at(0)).counts.successes, 10 + 3 * 100 * 50);
}
