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

/// Not random: loom needs the same run for the same schedule.
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

/// Runs `other` on a thread of its own while `this` runs here, and gives what it gives.
///
/// The thread that changes the state goes here and the one that only looks goes there: loom backtracks to the last
/// conflicting access of each kind, and finds more that way round.
fn race<T: 'static>(breaker: &Arc<Breaker>, other: fn(&Breaker) -> T, this: impl FnOnce()) -> T {
    let breaker = Arc::clone(breaker);
    let other = thread::spawn(move || other(&breaker));
    this();
    other.join().expect("no panic")
}

fn call(breaker: &Breaker, outcome: Outcome, now: Moment) -> Verdict {
    breaker.admit(now).expect("admitted").report(outcome, now)
}

#[test]
fn of_two_callers_that_race_for_one_probe_one_gets_it() {
    explore(|| {
        let breaker = breaker(hasty());
        call(&breaker, Outcome::Failure, at(0));
        let ask = |breaker: &Breaker| breaker.admit(at(60)).map(std::mem::forget).map_err(|no| no.reason);
        let mut mine = Ok(());
        let theirs = race(&breaker, ask, || mine = ask(&breaker));
        assert!([mine, theirs].contains(&Ok(())));
        assert!([mine, theirs].contains(&Err(RejectReason::ProbesOut)));
    });
}

#[test]
fn successes_of_two_threads_are_all_counted() {
    explore(|| {
        let breaker = breaker(hasty());
        let succeed = |breaker: &Breaker| {
            call(breaker, Outcome::Success, at(0));
            call(breaker, Outcome::Success, at(0));
        };
        race(&breaker, succeed, || succeed(&breaker));
        assert_eq!(breaker.snapshot(at(0)).counts.successes, 4);
    });
}

#[test]
fn a_success_that_races_with_a_trip_never_counts_in_a_later_era() {
    explore(|| {
        let breaker = breaker(hasty());
        let succeed = |breaker: &Breaker| {
            // The thread may have a line of the first era before the race begins.
            let _ = breaker.admit(at(0)).map(|permit| permit.success(at(0)));
            let permit = breaker.admit(at(0)).ok()?;
            Some((permit.generation(), permit.success(at(0))))
        };
        let told = race(&breaker, succeed, || {
            call(&breaker, Outcome::Failure, at(0));
            breaker.reset(at(1));
        });
        let end = breaker.snapshot(at(1));
        assert_eq!((end.state, end.generation), (State::Closed, 2));
        match told {
            Some((2, verdict)) => {
                assert_eq!(verdict, Verdict::Counted);
                assert!((1..=2).contains(&end.counts.successes));
            }
            _ => assert_eq!(end.counts.successes, 0, "{told:?}"),
        }
    });
}

#[test]
fn a_report_after_a_transition_that_the_caller_saw_is_stale() {
    explore(|| {
        let breaker = breaker(hasty());
        let report_late = |breaker: &Breaker| {
            let late = breaker.admit(at(0)).ok()?;
            let seen = breaker.admit(at(1)).map(std::mem::forget).is_err();
            Some((seen, late.success(at(1))))
        };
        let told = race(&breaker, report_late, || {
            assert_eq!(call(&breaker, Outcome::Failure, at(0)), Verdict::Counted);
        });
        if let Some((true, verdict)) = told {
            assert_eq!(verdict, Verdict::Stale);
        }
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
fn of_two_threads_that_look_for_a_transition_one_finds_it() {
    explore(|| {
        let breaker = breaker(hasty());
        let mut mine = None;
        let theirs = race(&breaker, Breaker::poll_transition, || {
            call(&breaker, Outcome::Failure, at(0));
            mine = breaker.poll_transition();
        });
        let found: Vec<State> = mine.into_iter().chain(theirs).map(|transition| transition.to).collect();
        assert_eq!(found, [State::Open]);
        assert_eq!(breaker.poll_transition(), None);
    });
}

#[test]
fn a_thread_that_is_rejected_finds_the_transition_that_rejected_it() {
    explore(|| {
        let breaker = breaker(hasty());
        let ask = |breaker: &Breaker| {
            let rejected = breaker.admit(at(1)).map(std::mem::forget).is_err();
            rejected.then(|| breaker.poll_transition().map(|transition| transition.to))
        };
        let found = race(&breaker, ask, || {
            call(&breaker, Outcome::Failure, at(0));
        });
        if let Some(found) = found {
            assert_eq!(found, Some(State::Open));
        }
    });
}

#[test]
fn threads_that_each_make_a_transition_and_look_for_one_leave_none_behind() {
    explore(|| {
        let breaker = breaker(hasty());
        let reset = |breaker: &Breaker| {
            breaker.reset(at(0));
            u64::from(breaker.poll_transition().is_some())
        };
        let mut mine = 0;
        let theirs = race(&breaker, reset, || mine = reset(&breaker));
        assert_eq!(mine + theirs, 2);
        assert_eq!(breaker.poll_transition(), None);
    });
}

#[test]
fn an_operator_wins_over_a_trip() {
    explore(|| {
        let breaker = breaker(hasty());
        race(&breaker, fail, || breaker.force_open(at(0)));
        assert_eq!(breaker.snapshot(at(0)).state, State::ForcedOpen);
        assert_eq!(breaker.admit(at(1_000)).expect_err("forced").retry_at, Moment::MAX);
    });
}

fn fail(breaker: &Breaker) {
    let _ = breaker.admit(at(0)).map(|permit| permit.failure(at(0)));
}

#[test]
fn a_breaker_that_is_disabled_while_it_trips_admits() {
    explore(|| {
        let breaker = breaker(hasty());
        race(&breaker, fail, || breaker.disable(at(0)));
        assert_eq!(breaker.snapshot(at(0)).state, State::Disabled);
        assert!(breaker.admit(at(0)).is_ok());
    });
}

#[test]
fn a_rejection_during_a_transition_names_a_valid_retry_at() {
    explore(|| {
        let breaker = breaker(hasty());
        call(&breaker, Outcome::Failure, at(0));
        // Asked with an older reading of the clock, so that the open breaker rejects.
        let ask = |breaker: &Breaker| breaker.admit(at(59)).map(std::mem::forget);
        let told = race(&breaker, ask, || {
            call(&breaker, Outcome::Success, at(60));
            call(&breaker, Outcome::Failure, at(61));
        });
        if let Err(rejected) = told {
            // Open, its probe out, or open again.
            assert!([at(60), at(120), at(121)].contains(&rejected.retry_at), "{rejected:?}");
        }
    });
}

#[test]
fn a_breaker_that_just_opened_admits_no_probe_before_its_time() {
    explore(|| {
        let breaker = breaker(hasty());
        let ask = |breaker: &Breaker| breaker.admit(at(59)).map(|permit| permit.is_probe());
        let told = race(&breaker, ask, || {
            call(&breaker, Outcome::Failure, at(0));
        });
        assert_ne!(told, Ok(true), "a probe 59 seconds after the trip");
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
        let succeed = |breaker: &Breaker| call(breaker, Outcome::Success, at(1));
        race(&breaker, succeed, || {
            call(&breaker, Outcome::Success, at(0));
        });
        let window = breaker.snapshot(at(1)).window.expect("closed, with rates");
        assert_eq!(window.calls, 3);
    });
}

#[test]
fn no_success_is_lost_when_the_settings_change() {
    explore(|| {
        let breaker = breaker(hasty());
        call(&breaker, Outcome::Success, at(0));
        let succeed = |breaker: &Breaker| {
            call(breaker, Outcome::Success, at(1));
        };
        race(&breaker, succeed, || {
            let window = Window::Time(Duration::from_secs(32));
            let rates = RateSettings { window, minimum_calls: 1, ..RateSettings::default() };
            let settings = BreakerSettings { rates: Some(rates), ..hasty() };
            let config = BreakerConfig::try_new(settings).expect("valid settings");
            breaker.reconfigure(config, at(1));
        });
        let end = breaker.snapshot(at(1));
        assert_eq!((end.generation, end.counts.successes), (0, 2));
        // That of the race is in the new window or was before it.
        assert!(end.window.expect("closed, with rates").calls <= 1);
    });
}
