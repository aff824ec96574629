//! Every interleaving of two or three threads, as loom explores them: admission, verdicts, the hand-over of a thread's
//! line, and operators against calls. Built and run by `cargo xtask test`, with `--cfg loom`.
#![cfg(loom)]

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use ttm_breaker::{
    Breaker, BreakerConfig, BreakerSettings, Outcome, RateSettings, RejectReason, State, Verdict, Window,
};
use ttm_kernel::{Entropy, Moment};

/// No chance at all: loom wants the same run for the same schedule.
struct NoChance;

impl Entropy for NoChance {
    fn next_u64(&self) -> u64 {
        0
    }
}

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

/// One failure opens it for 60 s, and one success of one probe closes it, unless `settings` say otherwise.
fn breaker(settings: BreakerSettings) -> Arc<Breaker> {
    let config = BreakerConfig::try_new(settings).expect("valid settings");
    Arc::new(Breaker::new("subject", config, std::sync::Arc::new(NoChance)))
}

fn hasty() -> BreakerSettings {
    BreakerSettings {
        failure_threshold: Some(1),
        half_open_max_calls: 1,
        success_threshold: 1,
        ..BreakerSettings::default()
    }
}

/// All interleavings, without a bound.
///
/// On a thread of its own: loom's first thread gives its line back when the statics are gone already.
fn explore(model: fn()) {
    loom::model(move || thread::spawn(model).join().expect("the model holds"));
}

fn call(breaker: &Breaker, outcome: Outcome, now: Moment) -> Verdict {
    breaker.admit(now).expect("admitted").report(outcome, now)
}

#[test]
fn of_two_callers_that_race_for_one_probe_one_gets_it() {
    explore(|| {
        let breaker = breaker(hasty());
        call(&breaker, Outcome::Failure, at(0));
        let other = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || breaker.admit(at(60)).map(std::mem::forget).map_err(|no| no.reason))
        };
        let mine = breaker.admit(at(60)).map(std::mem::forget).map_err(|no| no.reason);
        let both = [mine, other.join().expect("no panic")];
        assert_eq!(both.iter().filter(|one| one.is_ok()).count(), 1);
        assert!(both.contains(&Err(RejectReason::ProbesOut)));
    });
}

#[test]
fn successes_of_two_threads_are_all_counted() {
    explore(|| {
        let breaker = breaker(hasty());
        let other = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || {
                call(&breaker, Outcome::Success, at(0));
                call(&breaker, Outcome::Success, at(0));
            })
        };
        call(&breaker, Outcome::Success, at(0));
        other.join().expect("no panic");
        assert_eq!(breaker.snapshot(at(0)).counts.successes, 3);
    });
}

#[test]
fn a_success_that_races_with_a_trip_never_counts_in_a_later_era() {
    explore(|| {
        let breaker = breaker(hasty());
        // The thread has a line of this era before the race begins.
        call(&breaker, Outcome::Success, at(0));
        let other = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || {
                call(&breaker, Outcome::Failure, at(0));
                breaker.reset(at(1));
            })
        };
        let permit = breaker.admit(at(0));
        let generation = permit.as_ref().ok().map(ttm_breaker::Permit::generation);
        let verdict = permit.map(|permit| permit.success(at(0))).ok();
        other.join().expect("no panic");
        let end = breaker.snapshot(at(1));
        assert_eq!((end.state, end.generation), (State::Closed, 2));
        let of_the_last_era = u64::from(generation == Some(2));
        assert_eq!(end.counts.successes, of_the_last_era);
        if generation == Some(2) {
            assert_eq!(verdict, Some(Verdict::Counted));
        }
    });
}

#[test]
fn a_report_after_a_transition_that_the_caller_saw_is_stale() {
    explore(|| {
        let breaker = breaker(hasty());
        let late = breaker.admit(at(0)).expect("closed");
        let other = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || call(&breaker, Outcome::Failure, at(0)))
        };
        let seen = breaker.admit(at(1)).is_err();
        let verdict = late.success(at(1));
        if seen {
            assert_eq!(verdict, Verdict::Stale);
        }
        assert_eq!(other.join().expect("no panic"), Verdict::Counted);
    });
}

#[test]
fn the_line_of_a_thread_that_ended_goes_on_with_its_count() {
    explore(|| {
        let breaker = breaker(hasty());
        // Two lines for three threads, of which two live at once.
        let count = |breaker: &Arc<Breaker>| {
            let breaker = Arc::clone(breaker);
            thread::spawn(move || {
                call(&breaker, Outcome::Success, at(0));
            })
        };
        let first = count(&breaker);
        call(&breaker, Outcome::Success, at(0));
        first.join().expect("no panic");
        let second = count(&breaker);
        second.join().expect("no panic");
        assert_eq!(breaker.snapshot(at(0)).counts.successes, 3);
    });
}

#[test]
fn an_operator_wins_over_a_trip() {
    explore(|| {
        let breaker = breaker(hasty());
        let failing = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || breaker.admit(at(0)).map(|permit| permit.failure(at(0))))
        };
        breaker.force_open(at(0));
        failing.join().expect("no panic").ok();
        assert_eq!(breaker.snapshot(at(0)).state, State::ForcedOpen);
        assert_eq!(breaker.admit(at(1_000)).expect_err("forced").retry_at, Moment::MAX);
    });
}

#[test]
fn a_breaker_that_is_disabled_while_it_trips_admits() {
    explore(|| {
        let breaker = breaker(hasty());
        let failing = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || breaker.admit(at(0)).map(|permit| permit.failure(at(0))))
        };
        breaker.disable(at(0));
        failing.join().expect("no panic").ok();
        assert_eq!(breaker.snapshot(at(0)).state, State::Disabled);
        assert!(breaker.admit(at(0)).is_ok());
    });
}

#[test]
fn whoever_is_rejected_while_the_breaker_changes_is_told_a_moment_that_comes() {
    explore(|| {
        let breaker = breaker(hasty());
        call(&breaker, Outcome::Failure, at(0));
        let recovering = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || {
                call(&breaker, Outcome::Success, at(60));
                call(&breaker, Outcome::Failure, at(61));
            })
        };
        // Asked with an older reading of the clock, so that the open breaker rejects.
        if let Err(rejected) = breaker.admit(at(59)).map(std::mem::forget) {
            // Open, its probe out, or open again.
            assert!([at(60), at(120), at(121)].contains(&rejected.retry_at), "{rejected:?}");
        }
        recovering.join().ok();
    });
}

#[test]
fn no_call_is_lost_when_a_time_window_slides() {
    explore(|| {
        let window = Window::Time(Duration::from_secs(32));
        let rates = RateSettings { window, minimum_calls: 1, ..RateSettings::default() };
        let settings = BreakerSettings { failure_threshold: None, rates: Some(rates), ..hasty() };
        let breaker = breaker(settings);
        call(&breaker, Outcome::Success, at(0));
        let other = {
            let breaker = Arc::clone(&breaker);
            thread::spawn(move || call(&breaker, Outcome::Success, at(1)))
        };
        call(&breaker, Outcome::Success, at(0));
        other.join().expect("no panic");
        let window = breaker.snapshot(at(1)).window.expect("closed, with rates");
        assert_eq!(window.calls, 3);
    });
}
