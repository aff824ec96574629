//! Four threads and an operator over random schedules, as shuttle draws them: what holds in every one of them. Built and
//! run by `cargo xtask test`, with `--cfg shuttle`.
#![cfg(shuttle)]

use std::collections::BTreeMap;
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::RandomScheduler;
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::sync::{Arc, Barrier};
use shuttle::{Config, Runner, thread};
use ttm_breaker::{
    Breaker, BreakerConfig, BreakerSettings, Outcome, RateSettings, State, Transition, Verdict, Window,
};
use ttm_kernel::{Entropy, Moment};

/// Schedules that are drawn for each test.
const SCHEDULES: usize = 10_000;
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

/// Runs the model under random schedules.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    // A breaker is about 8 KiB, and a build that moves it a few times overflows the 32 KiB that are the default.
    config.stack_size = 1 << 18;
    Runner::new(RandomScheduler::new(SCHEDULES), config).run(model);
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
    explore(model);
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
    explore(model);
}

#[test]
fn under_any_race_transitions_are_gapless_and_nothing_stale_counts() {
    let model = || {
        let settings = BreakerSettings {
            failure_threshold: Some(2),
            half_open_max_calls: 2,
            success_threshold: 2,
            recovery_timeout: Duration::from_secs(2),
            ..BreakerSettings::default()
        };
        let breaker = breaker(settings);
        let (subject, counted) = (Arc::clone(&breaker), Arc::new(Failures::default()));
        let failures = Arc::clone(&counted);
        on_all_threads(move |_| {
            for second in 0..6 {
                act(&subject, at(second * 2), &failures);
            }
        });
        // Each failure that was reported as counted is in the counts of its own generation.
        let told = |generation: u64| {
            let counted = counted.lock().expect("no panic");
            counted.get(&generation).copied().unwrap_or_default()
        };
        let story: Vec<Transition> = std::iter::from_fn(|| breaker.poll_transition()).collect();
        let end = breaker.snapshot(at(100));
        let (mut state, mut generation) = (State::Closed, 0);
        for transition in &story {
            assert_eq!((transition.from, transition.generation), (state, generation + 1), "{story:?}");
            assert_eq!(transition.counts.failures, told(generation), "{story:?}");
            (state, generation) = (transition.to, transition.generation);
        }
        assert_eq!((state, generation), (end.state, end.generation));
        assert_eq!(end.counts.failures, told(generation));
    };
    explore(model);
}

#[test]
fn a_snapshot_never_shows_a_success_of_another_era() {
    let model = || {
        let breaker = breaker(BreakerSettings::default());
        let (subject, start) = (Arc::clone(&breaker), Barrier::new(4));
        on_all_threads(move |number| {
            // Each thread has a line with a count of the first era.
            for _ in 0..3 {
                subject.admit(at(0)).expect("closed").success(at(0));
            }
            start.wait();
            if number == 0 {
                subject.reset(at(1));
            }
            start.wait();
            subject.admit(at(1)).expect("closed").success(at(1));
            let seen = subject.snapshot(at(1));
            assert!(seen.generation == 1 && (1..=4).contains(&seen.counts.successes), "{seen:?}");
        });
        assert_eq!(breaker.snapshot(at(1)).counts.successes, 4);
    };
    explore(model);
}

/// By generation, the failures that were reported as counted. A lock of the standard library, which shuttle does
/// not see and no thread waits for.
type Failures = std::sync::Mutex<BTreeMap<u64, u64>>;

/// One random deed of a caller or an operator.
fn act(breaker: &Breaker, now: Moment, failures: &Failures) {
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
                    let generation = permit.generation();
                    if permit.report(Outcome::Failure, now) == Verdict::Counted {
                        *failures.lock().expect("no panic").entry(generation).or_default() += 1;
                    }
                }
            }
        }
    }
}
