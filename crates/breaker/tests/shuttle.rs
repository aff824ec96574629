//! Four threads and an operator over random schedules, as shuttle draws them: what holds in every one of them. Built and
//! run by `cargo xtask test`, with `--cfg shuttle`.
#![cfg(shuttle)]

use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::sync::{Arc, Barrier};
use shuttle::thread;
use ttm_breaker::{
    Breaker, BreakerConfig, BreakerSettings, Outcome, RateSettings, State, Transition, Verdict, Window,
};
use ttm_kernel::{Entropy, Moment};

/// Schedules that are drawn for each test.
const SCHEDULES: usize = 3_000;
const THREADS: u64 = 4;

struct NoChance;

impl Entropy for NoChance {
    fn next_u64(&self) -> u64 {
        0
    }
}

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn breaker(settings: BreakerSettings) -> Arc<Breaker> {
    let config = BreakerConfig::try_new(settings).expect("valid settings");
    Arc::new(Breaker::new("subject", config, std::sync::Arc::new(NoChance)))
}

/// Runs `work` on every thread, each with its number, and waits for all.
fn on_all_threads(work: impl Fn(u64) + Send + Sync + 'static) {
    let work = Arc::new(work);
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let work = Arc::clone(&work);
            thread::spawn(move || work(number))
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[test]
fn exactly_as_many_probes_as_permitted() {
    let model = || {
        let breaker = breaker(BreakerSettings { failure_threshold: Some(1), ..BreakerSettings::default() });
        breaker.admit(at(0)).expect("closed").failure(at(0));
        let admitted = Arc::new(AtomicU64::new(0));
        let (subject, counter) = (Arc::clone(&breaker), Arc::clone(&admitted));
        let start = Barrier::new(4);
        on_all_threads(move |_| {
            start.wait();
            for _ in 0..2 {
                if let Ok(permit) = subject.admit(at(60)) {
                    counter.fetch_add(1, Ordering::SeqCst);
                    std::mem::forget(permit);
                }
            }
        });
        assert_eq!(admitted.load(Ordering::SeqCst), 3);
    };
    shuttle::check_random(model, SCHEDULES);
}

#[test]
fn every_success_of_a_breaker_that_stays_closed_is_counted_once() {
    let model = || {
        let rates = RateSettings {
            window: Window::Time(Duration::from_secs(64)),
            minimum_calls: 3,
            ..RateSettings::default()
        };
        let breaker = breaker(BreakerSettings { rates: Some(rates), ..BreakerSettings::default() });
        let subject = Arc::clone(&breaker);
        on_all_threads(move |number| {
            for call in 0..4 {
                let now = at(call * 2 + number);
                subject.admit(now).expect("closed").success(now);
            }
        });
        let end = breaker.snapshot(at(20));
        assert_eq!(end.counts.successes, THREADS * 4);
        assert_eq!(end.window.map(|window| window.calls), Some(THREADS * 4));
    };
    shuttle::check_random(model, SCHEDULES);
}

#[test]
fn whatever_races_the_story_is_whole_and_nothing_stale_counts() {
    let model = || {
        let settings = BreakerSettings {
            failure_threshold: Some(2),
            half_open_max_calls: 2,
            success_threshold: 2,
            recovery_timeout: Duration::from_secs(2),
            ..BreakerSettings::default()
        };
        let breaker = breaker(settings);
        let (subject, counted) = (Arc::clone(&breaker), Arc::new(AtomicU64::new(0)));
        let failures = Arc::clone(&counted);
        on_all_threads(move |_| {
            for second in 0..6 {
                act(&subject, at(second * 2), &failures);
            }
        });
        let story: Vec<Transition> = std::iter::from_fn(|| breaker.poll_transition()).collect();
        let end = breaker.snapshot(at(100));
        let (mut state, mut generation, mut told) = (State::Closed, 0, 0);
        for transition in &story {
            assert_eq!((transition.from, transition.generation), (state, generation + 1), "{story:?}");
            (state, generation) = (transition.to, transition.generation);
            told += transition.counts.failures;
        }
        assert_eq!((state, generation), (end.state, end.generation));
        // Each failure that its caller was told to be counted stands in the counts of exactly one era.
        assert_eq!(told + end.counts.failures, counted.load(Ordering::SeqCst));
    };
    shuttle::check_random(model, SCHEDULES);
}

/// One random deed of a caller or an operator.
fn act(breaker: &Breaker, now: Moment, failures: &AtomicU64) {
    match thread_rng().gen_range(0..12_u32) {
        0 => breaker.force_open(now),
        1 => breaker.reset(now),
        2 => {
            breaker.snapshot(now);
        }
        choice => {
            let Ok(permit) = breaker.admit(now) else { return };
            match choice {
                3 => drop(permit),
                4 => std::mem::forget(permit),
                5..8 => {
                    permit.success(now);
                }
                _ => {
                    if permit.report(Outcome::Failure, now) == Verdict::Counted {
                        failures.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        }
    }
}
