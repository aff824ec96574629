//! The clock, the runtime and the streams for tests obey the laws of their ports, and the suites find those that break one: each of
//! these is one of them with one fault, and the laws that notice it are exactly those named beside it.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::testing::{
    Laws, assert_noticed, clock_conformance, entropy_conformance, runtime_conformance,
};
use ttm_kernel::{BoxFuture, Clock, Entropy, Moment, Runtime, Task, TaskEnd};
use ttm_testkit::{ManualClock, ManualRuntime, SeededEntropy};

#[derive(Clone, Copy, Debug, PartialEq)]
enum BadClock {
    Sound,
    GoesBack,
    RunsSlow,
    CountsWhatPassesAsSuspended,
    ForgetsWhatWasSuspended,
}

struct Skewed(ManualClock, BadClock, AtomicU64);

impl Clock for Skewed {
    fn now(&self) -> Moment {
        let now = self.0.now();
        let readings = self.2.fetch_add(1, Ordering::Relaxed);
        match self.1 {
            BadClock::GoesBack if readings % 1_000 == 999 => Moment::ZERO,
            BadClock::RunsSlow => Moment::from_nanos(now.as_nanos() / 10 * 9),
            _ => now,
        }
    }

    fn wall(&self) -> Timestamp {
        self.0.wall()
    }

    fn suspended(&self) -> Duration {
        let since_then = self.0.now().since_origin() * 1_000;
        match self.1 {
            BadClock::CountsWhatPassesAsSuspended => self.0.suspended() + since_then,
            BadClock::ForgetsWhatWasSuspended => self.0.suspended().saturating_sub(since_then),
            _ => self.0.suspended(),
        }
    }
}

fn judged_clock(fault: BadClock) -> Laws {
    let clock = Skewed(ManualClock::default(), fault, AtomicU64::default());
    clock.0.suspend(Duration::from_mins(10));
    let pass = async |time| clock.0.advance(time);
    ManualRuntime::new(0).block_on(clock_conformance::judge(&clock, pass))
}

#[test]
fn the_suite_of_clocks_notices_each_fault() {
    assert_noticed(
        BadClock::Sound,
        &[
            (BadClock::GoesBack, &["now_never_goes_back"]),
            (BadClock::RunsSlow, &["now_goes_on_with_the_time"]),
            (BadClock::CountsWhatPassesAsSuspended, &["time_that_passes_is_not_suspended"]),
            (BadClock::ForgetsWhatWasSuspended, &["time_that_passes_is_not_suspended"]),
        ],
        judged_clock,
    );
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BadRuntime {
    Sound,
    EndsSleepsEarly,
    SleepsForEverAfterThePast,
    EndsAtTheEndOfTime,
    NeverRuns,
    TakesAPanicForAnEnd,
    LosesWhatAPanicSaid,
    LosesWhatAPanicFormats,
    TakesOthersDown,
    IgnoresAborts,
    DropsLate,
    TakesAnAbortForAnEnd,
    AbortsWithTheHandle,
    HasOneStream,
    DrawsAllFromOne,
}

struct Flawed {
    inner: ManualRuntime,
    fault: BadRuntime,
    is_down: Arc<AtomicBool>,
    kept: Mutex<Vec<Arc<Mutex<BoxFuture<'static, ()>>>>>,
    streams: [SeededEntropy; 2],
}

impl Flawed {
    fn new(inner: ManualRuntime, fault: BadRuntime) -> Self {
        let streams = [1, 2].map(SeededEntropy::new);
        Self { inner, fault, is_down: Arc::default(), kept: Mutex::default(), streams }
    }
}

impl Clock for Flawed {
    fn now(&self) -> Moment {
        self.inner.now()
    }

    fn wall(&self) -> Timestamp {
        self.inner.wall()
    }
}

/// A handle that aborts its task when it is dropped.
struct Aborts(Arc<Mutex<Task>>, bool);

impl Drop for Aborts {
    fn drop(&mut self) {
        if self.1 {
            self.0.lock().expect("nothing panics with it").abort();
        }
    }
}

fn seen_as(fault: BadRuntime, end: TaskEnd) -> TaskEnd {
    match (fault, end) {
        (BadRuntime::TakesAPanicForAnEnd, TaskEnd::Panicked(_))
        | (BadRuntime::TakesAnAbortForAnEnd, TaskEnd::Aborted) => TaskEnd::Finished,
        (BadRuntime::LosesWhatAPanicSaid, TaskEnd::Panicked(_)) => TaskEnd::Panicked(String::new()),
        (BadRuntime::LosesWhatAPanicFormats, TaskEnd::Panicked(text)) if text.contains('7') => {
            TaskEnd::Panicked(String::new())
        }
        (_, end) => end,
    }
}

impl Runtime for Flawed {
    fn sleep_until(&self, at: Moment) -> BoxFuture<'static, ()> {
        match self.fault {
            BadRuntime::EndsSleepsEarly if at > self.now() && at < Moment::MAX => {
                self.inner.sleep_until(Moment::from_nanos(at.as_nanos() - 1_000))
            }
            BadRuntime::SleepsForEverAfterThePast if at < self.now() => Box::pin(pending()),
            BadRuntime::EndsAtTheEndOfTime if at == Moment::MAX => self.inner.sleep_until(self.now()),
            _ => self.inner.sleep_until(at),
        }
    }

    fn spawn(&self, name: &'static str, mut task: BoxFuture<'static, ()>) -> Task {
        let task: BoxFuture<'static, ()> = match self.fault {
            BadRuntime::NeverRuns => Box::pin(async {}),
            BadRuntime::DropsLate => {
                let task = Arc::new(Mutex::new(task));
                self.kept.lock().expect("nothing panics with it").push(Arc::clone(&task));
                Box::pin(poll_fn(move |context| {
                    task.lock().unwrap_or_else(PoisonError::into_inner).as_mut().poll(context)
                }))
            }
            BadRuntime::TakesOthersDown => {
                let is_down = Arc::clone(&self.is_down);
                Box::pin(poll_fn(move |context| {
                    assert!(!is_down.load(Ordering::SeqCst), "another task has panicked");
                    let poll = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context)));
                    poll.unwrap_or_else(|panic| {
                        is_down.store(true, Ordering::SeqCst);
                        resume_unwind(panic)
                    })
                }))
            }
            _ => task,
        };
        let inner = Arc::new(Mutex::new(self.inner.spawn(name, task)));
        let fault = self.fault;
        let handle = Aborts(Arc::clone(&inner), fault == BadRuntime::AbortsWithTheHandle);
        let abort = move || {
            if fault != BadRuntime::IgnoresAborts {
                handle.0.lock().expect("nothing panics with it").abort();
            }
        };
        let end = poll_fn(move |context| {
            let mut inner = inner.lock().expect("nothing panics with it");
            Pin::new(&mut *inner).poll(context).map(|end| seen_as(fault, end))
        });
        Task::new(Box::new(abort), Box::pin(end))
    }

    fn entropy(&self, stream: &'static str) -> Arc<dyn Entropy> {
        match self.fault {
            BadRuntime::HasOneStream => self.inner.entropy("all"),
            BadRuntime::DrawsAllFromOne => Arc::new(SeededEntropy::new(self.streams[0].next_u64())),
            _ => self.inner.entropy(stream),
        }
    }
}

fn judged_runtime(fault: BadRuntime) -> Laws {
    let inner = ManualRuntime::new(0);
    let flawed = Flawed::new(inner.clone(), fault);
    inner.clock().advance(Duration::from_secs(1));
    inner.block_on(runtime_conformance::judge(&flawed))
}

fn judged_streams(fault: BadRuntime) -> Laws {
    let [one, same] = [(); 2].map(|()| Flawed::new(ManualRuntime::new(9), fault));
    runtime_conformance::judge_seeded(&one, &same)
}

#[test]
fn the_suite_of_runtimes_notices_each_fault() {
    assert_noticed(
        BadRuntime::Sound,
        &[
            (BadRuntime::EndsSleepsEarly, &["a_sleep_never_ends_early"]),
            (BadRuntime::SleepsForEverAfterThePast, &["a_sleep_until_the_past_ends"]),
            (BadRuntime::EndsAtTheEndOfTime, &["a_sleep_until_the_end_of_time_does_not"]),
            (
                BadRuntime::NeverRuns,
                &[
                    "a_task_runs_and_ends_as_finished",
                    "a_task_that_panics_says_so_and_takes_nothing_down",
                    "an_aborted_task_is_dropped",
                    "a_task_outlives_its_handle",
                ],
            ),
            (BadRuntime::TakesAPanicForAnEnd, &["a_task_that_panics_says_so_and_takes_nothing_down"]),
            (BadRuntime::LosesWhatAPanicSaid, &["a_task_that_panics_says_so_and_takes_nothing_down"]),
            (BadRuntime::LosesWhatAPanicFormats, &["a_task_that_panics_says_so_and_takes_nothing_down"]),
            (
                BadRuntime::TakesOthersDown,
                &[
                    "a_task_that_panics_says_so_and_takes_nothing_down",
                    "an_aborted_task_is_dropped",
                    "a_task_outlives_its_handle",
                ],
            ),
            (BadRuntime::IgnoresAborts, &["an_aborted_task_is_dropped"]),
            (BadRuntime::DropsLate, &["an_aborted_task_is_dropped"]),
            (BadRuntime::TakesAnAbortForAnEnd, &["an_aborted_task_is_dropped"]),
            (BadRuntime::AbortsWithTheHandle, &["a_task_outlives_its_handle"]),
            (BadRuntime::HasOneStream, &["streams_of_different_names_differ"]),
        ],
        judged_runtime,
    );
    let shifts: &[(_, &[&str])] = &[(BadRuntime::DrawsAllFromOne, &["one_more_draw_shifts_no_other_stream"])];
    assert_noticed(BadRuntime::Sound, shifts, judged_streams);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BadStream {
    Sound,
    GoesOnWhereOthersEnd,
    IgnoresTheSeed,
    ClearsItsLowestBit,
    RepeatsItself,
    ReachesOne,
    StaysLow,
    ReachesTheBound,
    IsHalfTheBound,
}

struct Biased(Arc<SeededEntropy>, BadStream, AtomicU64);

impl Entropy for Biased {
    fn next_u64(&self) -> u64 {
        let bits = self.0.next_u64();
        match self.1 {
            BadStream::ClearsItsLowestBit => bits & !1,
            BadStream::RepeatsItself if self.2.fetch_add(1, Ordering::Relaxed) == 9 => {
                self.2.store(0, Ordering::Relaxed);
                7
            }
            _ => bits,
        }
    }

    fn unit(&self) -> f64 {
        let unit = (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        match self.1 {
            BadStream::ReachesOne if unit > 0.99 => 1.0,
            BadStream::StaysLow => unit / 2.0,
            _ => unit,
        }
    }

    fn below(&self, bound: u64) -> u64 {
        let below = if bound == 0 { 0 } else { self.next_u64() % bound };
        match self.1 {
            BadStream::ReachesTheBound if bound == 7 && below == 6 => 7,
            BadStream::IsHalfTheBound if bound > 7 => below / 2,
            _ => below,
        }
    }
}

fn judged_stream(fault: BadStream) -> Laws {
    let shared = Arc::new(SeededEntropy::new(0));
    entropy_conformance::judge(|seed| {
        let stream = match fault {
            BadStream::GoesOnWhereOthersEnd => Arc::clone(&shared),
            BadStream::IgnoresTheSeed => Arc::new(SeededEntropy::new(0)),
            _ => Arc::new(SeededEntropy::new(seed)),
        };
        Box::new(Biased(stream, fault, AtomicU64::default())) as Box<dyn Entropy>
    })
}

#[test]
fn the_suite_of_streams_notices_each_fault() {
    assert_noticed(
        BadStream::Sound,
        &[
            (BadStream::GoesOnWhereOthersEnd, &["a_seed_repeats_its_stream"]),
            (BadStream::IgnoresTheSeed, &["another_seed_is_another_stream"]),
            (BadStream::ClearsItsLowestBit, &["every_bit_is_drawn_as_often_as_not"]),
            (BadStream::RepeatsItself, &["another_seed_is_another_stream", "no_number_comes_again_soon"]),
            (BadStream::ReachesOne, &["a_unit_is_below_one_and_anywhere"]),
            (BadStream::StaysLow, &["a_unit_is_below_one_and_anywhere"]),
            (BadStream::ReachesTheBound, &["a_bound_is_never_reached_and_all_below_is"]),
            (BadStream::IsHalfTheBound, &["a_bound_is_never_reached_and_all_below_is"]),
        ],
        judged_stream,
    );
}
