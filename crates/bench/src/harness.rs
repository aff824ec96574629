//! Measures closures: on pinned threads, warmed up, calibrated and interleaved; reports medians.
//!
//! A sample takes about [`SAMPLE`]. Its unit is nanoseconds per call and thread: the wall time from the start of the first
//! thread to the end of the last one, divided by the calls of each thread. With two threads, it is therefore the latency of
//! one caller, and twice the inverse of the throughput. The subjects of a row are interleaved and compared round by round,
//! so that other load on the machine affects them alike.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The duration of a sample.
const SAMPLE: Duration = Duration::from_millis(20);
/// The number of samples of each subject.
const ROUNDS: usize = 15;
/// The shortest run that is long enough to calibrate.
const CALIBRATION: Duration = Duration::from_millis(2);

/// Something to measure.
pub struct Subject {
    /// Its name.
    pub name: &'static str,
    run: Box<dyn Fn(u64) -> u64 + Send + Sync>,
}

impl Subject {
    /// A subject with a loop of its own: it makes this many calls, and returns how many had the expected result.
    pub fn looped(name: &'static str, run: impl Fn(u64) -> u64 + Send + Sync + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }

    /// A subject of single calls, which get their number and return whether they had the expected result.
    ///
    /// The check costs the same addition for each subject, and detects a breaker that opens unexpectedly.
    pub fn each(name: &'static str, call: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        Self::looped(name, move |calls| (0..calls).map(|number| u64::from(call(number))).sum())
    }

    /// The same, with a state per thread.
    pub fn with_own<S>(
        name: &'static str,
        own: impl Fn() -> S + Send + Sync + 'static,
        call: impl Fn(&mut S, u64) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::looped(name, move |calls| {
            let mut own = own();
            (0..calls).map(|number| u64::from(call(&mut own, number))).sum()
        })
    }

    /// Allocations per call, without those of the setup.
    pub fn allocations(&self) -> f64 {
        const CALLS: u64 = 10_000;
        let count = |calls| allocation_counter::measure(|| self.run(calls)).count_total;
        self.run(CALLS);
        count(2 * CALLS).saturating_sub(count(CALLS)) as f64 / CALLS as f64
    }

    fn run(&self, calls: u64) {
        let expected = (self.run)(calls);
        assert_eq!(expected, calls, "calls of {} had an unexpected result", self.name);
    }
}

/// The samples of one subject, in nanoseconds per call and thread.
#[derive(Debug)]
pub struct Measured {
    /// One per round, in order.
    samples: Vec<f64>,
}

impl Measured {
    /// The median.
    pub fn median(&self) -> f64 {
        median(self.samples.clone())
    }

    /// The fastest sample.
    pub fn least(&self) -> f64 {
        self.samples.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The time as a share of that of another subject: the median over the rounds, in each of which both had the same load on
    /// the machine.
    pub fn share_of(&self, other: &Self) -> f64 {
        median(self.samples.iter().zip(&other.samples).map(|(own, other)| own / other).collect())
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Measures the subjects of one row side by side, each on `threads` threads.
pub(crate) fn measure(subjects: &[&Subject], threads: usize) -> Vec<Measured> {
    let cores = cores();
    let calls: Vec<u64> = subjects.iter().map(|subject| calibrate(subject, threads, &cores)).collect();
    let mut samples = vec![Vec::with_capacity(ROUNDS); subjects.len()];
    for _ in 0..ROUNDS {
        for ((subject, &calls), samples) in subjects.iter().zip(&calls).zip(&mut samples) {
            samples.push(time(subject, calls, threads, &cores).as_secs_f64() * 1e9 / calls as f64);
        }
    }
    samples.into_iter().map(|samples| Measured { samples }).collect()
}

/// The number of calls of a sample; also warms up the subject.
fn calibrate(subject: &Subject, threads: usize, cores: &[usize]) -> u64 {
    let mut calls = 1;
    loop {
        let took = time(subject, calls, threads, cores);
        if took >= CALIBRATION {
            let fitting = u128::from(calls) * SAMPLE.as_nanos() / took.as_nanos();
            return u64::try_from(fitting).unwrap_or(u64::MAX).max(1);
        }
        calls *= 4;
    }
}

/// Makes `calls` calls on each thread, and returns how long that took.
fn time(subject: &Subject, calls: u64, threads: usize, cores: &[usize]) -> Duration {
    let start = Barrier::new(threads);
    let timed = |core: usize| {
        pin(core);
        start.wait();
        let began = now();
        // Counting would slow down peers that allocate.
        allocation_counter::opt_out(|| subject.run(calls));
        (began, now())
    };
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let timed = &timed;
        let running: Vec<_> =
            cores.iter().cycle().take(threads).map(|&core| scope.spawn(move || timed(core))).collect();
        running.into_iter().map(|thread| thread.join().expect("subjects do not panic")).collect()
    });
    let began = spans.iter().map(|(began, _)| *began).min().expect("a row has at least one thread");
    let ended = spans.iter().map(|(_, ended)| *ended).max().expect("a row has at least one thread");
    ended - began
}

/// The cores that this process may use.
fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(None).expect("the affinity is readable");
    (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect()
}

/// Pins the calling thread to a core.
fn pin(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).expect("the core is allowed");
}

/// The clock of the machine.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn now() -> Instant {
    Instant::now()
}
