//! The handle that tasks and ports hold: the port `Runtime` on virtual time. It drives nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ttm_kernel::{BoxFuture, Clock, Entropy, Moment, Runtime, Task};
use ttm_testkit::SeededEntropy;

use super::task::SimTask;
use super::timers::{TimerId, Timers};
use super::trace::{Kind, Trace};

/// A clonable handle to one executor's clock, timers and tasks.
#[derive(Clone)]
pub struct SimRuntime(Arc<Shared>);

/// What the executor and its handles share. One thread uses it at a time, so no lock is ever waited for.
pub(super) struct Shared {
    seed: u64,
    now: AtomicU64,
    wall_start: Timestamp,
    wall_step_ns: AtomicI64,
    ready: Mutex<Vec<Arc<SimTask>>>,
    timers: Mutex<Timers>,
    tasks: Mutex<BTreeMap<u64, Arc<SimTask>>>,
    last_task: AtomicU64,
    /// The task that is polled, or was last.
    running: AtomicU64,
    streams: Mutex<BTreeMap<&'static str, Arc<SeededEntropy>>>,
    yielding: SeededEntropy,
    late: SeededEntropy,
    trace: Trace,
}

/// A timer fires this much after its moment at most: tokio's have a granularity of a millisecond.
const LATEST_NS: u64 = 2_000_000;

impl SimRuntime {
    pub(super) fn new(seed: u64, wall_start: Timestamp) -> Self {
        Self(Arc::new(Shared {
            seed,
            now: AtomicU64::new(0),
            wall_start,
            wall_step_ns: AtomicI64::new(0),
            ready: Mutex::default(),
            timers: Mutex::default(),
            tasks: Mutex::default(),
            last_task: AtomicU64::new(0),
            running: AtomicU64::new(0),
            streams: Mutex::default(),
            yielding: SeededEntropy::stream(seed, "yields"),
            late: SeededEntropy::stream(seed, "timers"),
            trace: Trace::new(),
        }))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    /// The number of the task that is polled: what two of them do is never one and the same.
    pub(crate) fn task(&self) -> u64 {
        self.0.running.load(Ordering::Relaxed)
    }

    /// Notes an event in the trace: it counts in the hash, and the last 200 are kept as text.
    pub fn trace(&self, event: impl fmt::Display) {
        self.0.trace.note(self.now(), format_args!("{event}"));
    }

    /// One number for everything that happened so far: equal for equal runs.
    pub fn trace_hash(&self) -> u64 {
        self.0.trace.hash()
    }

    /// The last 200 events, oldest first, each after its moment.
    pub fn last_events(&self) -> Vec<String> {
        self.0.trace.lines()
    }

    /// How many tasks have not ended.
    pub fn live_tasks(&self) -> usize {
        lock(&self.0.tasks).len()
    }

    /// Gives way to the other tasks up to three times, as chance decides; every simulated port call does, so that all
    /// interleavings around it can happen.
    pub fn yields(&self) -> Yields {
        Yields(self.0.yielding.next_u64() & 3)
    }

    /// The stream with this name, which all who ask for it share.
    pub(crate) fn stream(&self, name: &'static str) -> Arc<SeededEntropy> {
        let seeded = || Arc::new(SeededEntropy::stream(self.0.seed, name));
        Arc::clone(lock(&self.0.streams).entry(name).or_insert_with(seeded))
    }

    pub(super) fn fold(&self, kind: Kind, number: u64) {
        self.0.trace.fold(self.now(), kind, number);
    }
}

impl Shared {
    pub(super) fn run(&self, task: u64) {
        self.running.store(task, Ordering::Relaxed);
    }

    pub(super) fn ready(&self) -> MutexGuard<'_, Vec<Arc<SimTask>>> {
        lock(&self.ready)
    }

    pub(super) fn timers(&self) -> MutexGuard<'_, Timers> {
        lock(&self.timers)
    }

    /// Moves the clock on; never back.
    pub(super) fn advance(&self, to: Moment) {
        if to != Moment::MAX {
            self.now.fetch_max(to.as_nanos(), Ordering::Relaxed);
        }
    }

    pub(super) fn step_wall(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_nanos()).unwrap_or(0);
        self.wall_step_ns.fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn any_task(&self) -> Option<Arc<SimTask>> {
        lock(&self.tasks).values().next().cloned()
    }

    pub(super) fn forget(&self, seq: u64) {
        // Dropped after the lock: a task may own the last handle to another.
        let task = lock(&self.tasks).remove(&seq);
        drop(task);
    }

    pub(super) fn forget_ready(&self) {
        let ready = std::mem::take(&mut *self.ready());
        drop(ready);
    }
}

impl Clock for SimRuntime {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.0.now.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Timestamp {
        let step = i128::from(self.0.wall_step_ns.load(Ordering::Relaxed));
        let nanos = self.0.wall_start.as_nanosecond() + i128::from(self.now().as_nanos()) + step;
        // Beyond the calendar only when a schedule steps the wall by millennia.
        Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::MAX)
    }
}

impl Runtime for SimRuntime {
    fn sleep_until(&self, at: Moment) -> BoxFuture<'static, ()> {
        // As on a real machine: never early, and hardly ever on the moment.
        let late = if at > self.now() { self.0.late.below(LATEST_NS) } else { 0 };
        Box::pin(Sleep { runtime: self.clone(), at: at + Duration::from_nanos(late), timer: None })
    }

    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task {
        let seq = self.0.last_task.fetch_add(1, Ordering::Relaxed) + 1;
        let task = Arc::new(SimTask::new(seq, name, Arc::clone(&self.0), future));
        lock(&self.0.tasks).insert(seq, Arc::clone(&task));
        task.enqueue();
        self.fold(Kind::Spawned, seq);
        task.handle()
    }

    /// Whoever asks for the same name shares one stream, which goes on when the service boots again.
    fn entropy(&self, stream: &'static str) -> Arc<dyn Entropy> {
        self.stream(stream)
    }
}

impl fmt::Debug for SimRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimRuntime")
            .field("seed", &self.0.seed)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

/// A timer that registers itself when it is first polled and leaves when it is dropped, so that an abandoned one
/// never moves time.
struct Sleep {
    runtime: SimRuntime,
    at: Moment,
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.runtime.now() >= self.at {
            return Poll::Ready(());
        }
        if let Some(timer) = self.timer {
            self.runtime.0.timers().rewake(timer, cx.waker());
        } else {
            let timer = self.runtime.0.timers().register(self.at, cx.waker().clone());
            self.timer = Some(timer);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // The waker is dropped after the lock: it may be the last handle to its task.
        let waker = self.timer.and_then(|timer| self.runtime.0.timers().cancel(timer));
        drop(waker);
    }
}

/// Gives way a number of times.
#[derive(Debug)]
#[must_use = "it gives way only when awaited"]
pub struct Yields(u64);

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Every change under a lock of the simulator is one call or one assignment, so a panic leaves the content whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
