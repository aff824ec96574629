//! Measures closures: pinned threads, warmed up, calibrated, interleaved, and the median kept. It does not know what it
//! measures.
//!
//! A sample lasts about [`SAMPLE`]. Its number is nanoseconds a call and thread: the wall time from the first thread's
//! start to the last one's end, by the calls that each thread made. With two threads it is therefore what one caller
//! waits, and twice the throughput's inverse. The subjects of a row take turns, so that what else the machine does hits
//! them alike; they are compared round by round for the same reason.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How long one sample lasts.
const SAMPLE: Duration = Duration::from_millis(20);
/// How many samples of each subject are kept.
const ROUNDS: usize = 15;
/// The shortest run that says how many calls make a sample.
const CALIBRATION: Duration = Duration::from_millis(2);

/// Something to call, many times over.
pub struct Subject {
    /// Its name.
    pub name: &'static str,
    run: Box<dyn Fn(u64) -> u64 + Send + Sync>,
}

impl Subject {
    /// A subject that loops by itself: it makes as many calls as it is told, and says how many ended as they should.
    pub fn looped(name: &'static str, run: impl Fn(u64) -> u64 + Send + Sync + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }

    /// A subject of single calls, which get their number and say whether they ended as they should.
    ///
    /// The check costs each subject the same addition, and notices a breaker that opens when it should not.
    pub fn each(name: &'static str, call: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        Self::looped(name, move |calls| (0..calls).map(|number| u64::from(call(number))).sum())
    }

    /// The same, for what each thread needs one of its own of.
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

    /// Allocations a call, in the long run: what is set up once is not counted.
    pub fn allocations(&self) -> f64 {
        const CALLS: u64 = 10_000;
        let count = |calls| allocation_counter::measure(|| self.run(calls)).count_total;
        self.run(CALLS);
        count(2 * CALLS).saturating_sub(count(CALLS)) as f64 / CALLS as f64
    }

    fn run(&self, calls: u64) {
        let right = (self.run)(calls);
        assert_eq!(right, calls, "calls of {} ended as they should not", self.name);
    }
}

/// What the samples of one subject say, in nanoseconds a call and thread.
#[derive(Debug)]
pub struct Measured {
    /// One of each round, in their order.
    samples: Vec<f64>,
}

impl Measured {
    /// The middle one.
    pub fn median(&self) -> f64 {
        median(self.samples.clone())
    }

    /// The quickest one.
    pub fn least(&self) -> f64 {
        self.samples.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// What share of the other's time this one took: the median over the rounds, in each of which both had the same
    /// neighbours on the machine.
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

/// How many calls make a sample; warms the subject up on the way.
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

/// Has each thread make `calls` calls, and says how long that took altogether.
fn time(subject: &Subject, calls: u64, threads: usize, cores: &[usize]) -> Duration {
    let start = Barrier::new(threads);
    let timed = |core: usize| {
        pin(core);
        start.wait();
        let began = now();
        // The counting allocator costs an allocating peer less while it does not count.
        allocation_counter::opt_out(|| subject.run(calls));
        (began, now())
    };
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let timed = &timed;
        let running: Vec<_> =
            cores.iter().cycle().take(threads).map(|&core| scope.spawn(move || timed(core))).collect();
        running.into_iter().map(|thread| thread.join().expect("a subject does not panic")).collect()
    });
    let began = spans.iter().map(|(began, _)| *began).min().expect("a row has a thread");
    let ended = spans.iter().map(|(_, ended)| *ended).max().expect("a row has a thread");
    ended - began
}

/// The cores that this process may use.
fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(None).expect("a process may ask where it runs");
    (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect()
}

/// Keeps the calling thread on one core.
fn pin(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).expect("the core is one of those that were allowed");
}

/// The machine's clock.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures the machine's own time")]
pub fn now() -> Instant {
    Instant::now()
}
