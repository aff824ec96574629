//! Admissions and reports allocate nothing, in any state: counted, not assumed.
#![cfg(not(any(loom, shuttle)))]

use std::sync::Arc;
use std::time::Duration;

use ttm_breaker::{
    Breaker, BreakerConfig, BreakerSettings, Outcome, RateSettings, SlowCallSettings, State, Window,
};
use ttm_kernel::Moment;
use ttm_testkit::SeededEntropy;

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

/// Through every state and every kind of report, for as long as windows and journals need to fill.
fn live(breaker: &Breaker) {
    for round in 0..200 {
        let begun = round * 10_000;
        for call in 0..400 {
            let now = at(begun + call);
            let Ok(permit) = breaker.admit(now) else { continue };
            // A row of failures now and then, and a little of everything between.
            match if call % 50 < 10 { 6 } else { call % 6 } {
                0 | 1 => permit.success(now),
                2 => permit.success(now + Duration::from_secs(5)),
                3 => permit.report(Outcome::Ignored, now),
                4 => {
                    permit.report(Outcome::RateLimited { retry_at: Some(now + Duration::from_secs(1)) }, now)
                }
                _ => permit.failure(now),
            };
        }
        drop(breaker.admit(at(begun + 5_000)));
        let _ = breaker.check(at(begun + 5_000));
        match round % 10 {
            0 => breaker.force_open(at(begun + 5_000)),
            1 => breaker.disable(at(begun + 5_000)),
            2 | 3 => breaker.reset(at(begun + 5_000)),
            _ => {}
        }
    }
}

#[track_caller]
fn check(settings: BreakerSettings) {
    let config = BreakerConfig::try_new(settings).expect("valid settings");
    let breaker = Breaker::new("subject", config, Arc::new(SeededEntropy::new(1)));
    let allocated = allocation_counter::measure(|| live(&breaker));
    assert_eq!(allocated.count_total, 0);
    assert!(breaker.snapshot(at(0)).generation > 100, "it went through its states");
}

#[test]
fn failures_in_a_row_allocate_nothing() {
    check(BreakerSettings::default());
}

#[test]
fn rates_allocate_nothing_whatever_the_window() {
    for window in [Window::Calls(100), Window::Time(Duration::from_mins(1))] {
        let slow_calls = Some(SlowCallSettings { duration: Duration::from_secs(2), rate: 0.9 });
        let rates = RateSettings { window, slow_calls, ..RateSettings::default() };
        check(BreakerSettings { rates: Some(rates), ..BreakerSettings::default() });
    }
}

#[test]
fn a_window_that_is_one_call_below_its_rates_allocates_nothing() {
    let slow_calls = Some(SlowCallSettings { duration: Duration::from_secs(2), rate: 0.5 });
    let rates = Some(RateSettings { window: Window::Calls(100), slow_calls, ..RateSettings::default() });
    let settings = BreakerSettings { failure_threshold: None, rates, ..BreakerSettings::default() };
    let config = BreakerConfig::try_new(settings).expect("valid settings");
    let breaker = Breaker::new("subject", config, Arc::new(SeededEntropy::new(1)));
    let call = |call: u64| {
        let permit = breaker.admit(at(call)).expect("closed");
        // Of each hundred 51 work at once, and 49 fail after a while.
        let (outcome, took) = if call % 100 < 51 { (Outcome::Success, 0) } else { (Outcome::Failure, 3) };
        permit.report(outcome, at(call + took));
    };
    // The thread's own line is there before anything is counted.
    call(0);
    let allocated = allocation_counter::measure(|| (1..500).for_each(call));
    assert_eq!(allocated.count_total, 0);
    let window = breaker.snapshot(at(600)).window.expect("closed");
    assert_eq!((window.failures, window.slow), (49, 49));
}

#[test]
fn a_thread_that_comes_new_allocates_nothing_either() {
    let breaker = Breaker::new("subject", BreakerConfig::default(), Arc::new(SeededEntropy::new(1)));
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| {
            let call = || breaker.admit(at(0)).expect("closed").report(Outcome::Success, at(0));
            allocation_counter::measure(|| {
                call();
            })
        });
        assert_eq!(caller.join().expect("no panic").count_total, 0);
    });
    assert_eq!(breaker.snapshot(at(0)).state, State::Closed);
}
