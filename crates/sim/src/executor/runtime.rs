//! The handle that tasks and ports hold: the port `Runtime` on virtual time. Only the executor advances the clock,
//! between polls, so no time passes while a task runs.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use ttm_kernel::{BoxFuture, Clock, Entropy, Moment, Runtime, Task};
use ttm_xoshiro_entropy::SeededEntropy;

use super::place::{Place, Plane};
use super::strike::Ward;
use super::task::{ReadyQueue, SimTask};
use super::timers::{TimerId, Timers};
use super::trace::{Kind, Trace};

/// A clonable handle to one executor's timers and tasks, at one [`Place`].
///
/// The clock of a process begins when it boots, as a real monotonic clock may, whatever the world's clock shows: a
/// moment of one process means nothing to another, and code that mixes them up must fail here.
#[derive(Clone)]
pub struct SimRuntime {
    shared: Arc<Shared>,
    place: Place,
    origin: Moment,
}

/// State shared by the executor and its handles. One thread uses it at a time, so no lock is ever contended.
pub(super) struct Shared {
    seed: u64,
    now: AtomicU64,
    wall_start: Timestamp,
    wall_step_ns: AtomicI64,
    ready: Arc<ReadyQueue>,
    timers: Mutex<Timers>,
    tasks: Mutex<BTreeMap<u64, Arc<SimTask>>>,
    last_task: AtomicU64,
    /// The task that is being polled, or was polled last (for a call to a port: the task that made the call), and its
    /// process.
    running: AtomicU64,
    running_process: AtomicU32,
    /// When the work plane of each process was built, and built anew.
    builds: Mutex<BTreeMap<u32, Vec<Moment>>>,
    /// The suspended places, and until when each is.
    suspended: Mutex<BTreeMap<Place, Moment>>,
    ward: Ward,
    streams: Mutex<BTreeMap<&'static str, Arc<SeededEntropy>>>,
    yields: SeededEntropy,
    timer_delays: SeededEntropy,
    trace: Trace,
}

/// The longest delay of a timer after its deadline: tokio's timers have a granularity of a millisecond.
const MAX_TIMER_DELAY_NS: u64 = 2_000_000;

impl SimRuntime {
    pub(super) fn new(seed: u64, wall_start: Timestamp) -> Self {
        let shared = Arc::new(Shared {
            seed,
            now: AtomicU64::new(0),
            wall_start,
            wall_step_ns: AtomicI64::new(0),
            ready: Arc::default(),
            timers: Mutex::default(),
            tasks: Mutex::default(),
            last_task: AtomicU64::new(0),
            running: AtomicU64::new(0),
            running_process: AtomicU32::new(0),
            builds: Mutex::default(),
            suspended: Mutex::default(),
            ward: Ward::default(),
            streams: Mutex::default(),
            yields: SeededEntropy::stream(seed, "yields"),
            timer_delays: SeededEntropy::stream(seed, "timers"),
            trace: Trace::new(),
        });
        Self { shared, place: Place::WORLD, origin: Moment::ZERO }
    }

    /// The handle of a process that boots now, which starts its clock.
    #[must_use]
    pub fn boot(&self, process: u32) -> Self {
        let place = Place::new(process, Plane::Main);
        Self { shared: self.shared.clone(), place, origin: self.shared.now() }
    }

    /// The handle of one of its planes.
    #[must_use]
    pub fn on(&self, plane: Plane) -> Self {
        Self { place: Place::new(self.place.process, plane), ..self.clone() }
    }

    /// The handle of its newly built work plane; tasks that still run on the previous one are abandoned.
    #[must_use]
    pub(crate) fn build_work(&self) -> Self {
        let process = self.place.process;
        let mut builds = self.shared.builds.lock();
        let times = builds.entry(process).or_default();
        let build = u32::try_from(times.len()).expect("a few");
        times.push(self.shared.now());
        drop(builds);
        let place = Place { build, ..Place::new(process, Plane::Work) };
        self.shared.leave_behind(place);
        Self { place, ..self.clone() }
    }

    /// When the work plane of a process was first built anew after a moment.
    pub(crate) fn rebuilt_after(&self, process: u32, moment: Moment) -> Option<Moment> {
        let builds = self.shared.builds.lock();
        builds.get(&process)?.iter().copied().find(|built| *built > moment)
    }

    /// The process whose task is being polled, or was polled last.
    pub(crate) fn process(&self) -> u32 {
        self.shared.running_process.load(Ordering::Relaxed)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The number of the task that is being polled, or on whose behalf a port is called; it tells the calls of
    /// different tasks apart.
    pub(crate) fn task(&self) -> u64 {
        self.shared.running.load(Ordering::Relaxed)
    }

    /// The name of that task; `None` if it has ended.
    pub(crate) fn task_name(&self) -> Option<&'static str> {
        Some(self.shared.tasks.lock().get(&self.task())?.name())
    }

    /// Records an event in the trace: it goes into the hash, and the last 200 are kept as text.
    pub fn trace(&self, event: impl fmt::Display) {
        self.shared.trace.note(self.shared.now(), format_args!("{event}"));
    }

    /// A hash of everything that happened so far: equal for equal runs.
    pub fn trace_hash(&self) -> u64 {
        self.shared.trace.hash()
    }

    /// The last 200 events, oldest first, each prefixed with its moment.
    pub fn last_events(&self) -> Vec<String> {
        self.shared.trace.lines()
    }

    /// How many tasks have not ended.
    pub fn live_tasks(&self) -> usize {
        self.shared.tasks.lock().len()
    }

    /// How many tasks of a process have not ended although they could.
    pub fn live_tasks_of(&self, process: u32) -> usize {
        self.count(|task| task.place().process == process && self.shared.may_run(task))
    }

    /// Whether a task is never polled again, however it is woken.
    pub(super) fn is_any_stuck(&self) -> bool {
        self.count(|task| !self.shared.may_run(task)) > 0
    }

    fn count(&self, matches: impl Fn(&SimTask) -> bool) -> usize {
        self.shared.tasks.lock().values().filter(|task| matches(task)).count()
    }

    /// When the work plane of any process was built anew.
    pub(crate) fn rebuilds(&self) -> Vec<Moment> {
        let builds = self.shared.builds.lock();
        let mut rebuilds: Vec<Moment> =
            builds.values().flat_map(|times| times.iter().skip(1).copied()).collect();
        rebuilds.sort();
        rebuilds
    }

    /// Yields to the other tasks a random number of times, at most three; every simulated port call does, so that all
    /// interleavings around it can happen.
    pub fn yields(&self) -> Yields {
        Yields(self.shared.yields.next_u64() & 3)
    }

    /// The random stream with this name; all callers share one.
    pub(crate) fn stream(&self, name: &'static str) -> Arc<SeededEntropy> {
        self.shared.stream(name)
    }

    pub(super) fn fold(&self, kind: Kind, number: u64) {
        self.shared.trace.fold(self.shared.now(), kind, number);
    }
}

impl Shared {
    pub(super) fn stream(&self, name: &'static str) -> Arc<SeededEntropy> {
        let seeded = || Arc::new(SeededEntropy::stream(self.seed, name));
        Arc::clone(self.streams.lock().entry(name).or_insert_with(seeded))
    }

    pub(super) fn now(&self) -> Moment {
        Moment::from_nanos(self.now.load(Ordering::Relaxed))
    }

    pub(super) fn run(&self, task: &SimTask) {
        self.running.store(task.caller(), Ordering::Relaxed);
        self.running_process.store(task.place().process, Ordering::Relaxed);
    }

    /// The current runtime of a plane.
    pub(super) fn newest(&self, process: u32, plane: Plane) -> Place {
        let build = match plane {
            Plane::Work => {
                let times = self.builds.lock().get(&process).map_or(0, Vec::len);
                u32::try_from(times.saturating_sub(1)).expect("a few")
            }
            Plane::Main | Plane::Supervision | Plane::Io => 0,
        };
        Place { build, ..Place::new(process, plane) }
    }

    /// Suspends all tasks at `place` until then.
    pub(super) fn suspend(&self, place: Place, until: Moment) {
        let mut suspended = self.suspended.lock();
        let held = suspended.entry(place).or_insert(until);
        *held = until.max(*held);
    }

    /// The next moment at which a suspended place resumes.
    pub(super) fn next_resume(&self) -> Option<Moment> {
        // One that never resumes is no timer.
        self.suspended.lock().values().min().copied().filter(|until| *until < Moment::MAX)
    }

    /// Removes the suspensions that are over, and returns whether there were any.
    pub(super) fn resume_due(&self) -> bool {
        let now = self.now();
        let mut suspended = self.suspended.lock();
        let before = suspended.len();
        suspended.retain(|_, until| *until > now);
        suspended.len() < before
    }

    /// Removes the suspensions of a process that is gone.
    pub(super) fn forget_suspended(&self, process: u32) {
        self.suspended.lock().retain(|place, _| place.process != process);
    }

    pub(super) fn suspended(&self) -> MutexGuard<'_, BTreeMap<Place, Moment>> {
        self.suspended.lock()
    }

    pub(super) fn ready(&self) -> &ReadyQueue {
        &self.ready
    }

    pub(super) fn timers(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock()
    }

    /// Advances the clock; never moves it back.
    pub(super) fn advance(&self, to: Moment) {
        if to != Moment::MAX {
            self.now.fetch_max(to.as_nanos(), Ordering::Relaxed);
        }
    }

    pub(super) fn step_wall(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_nanos()).unwrap_or(0);
        self.wall_step_ns.fetch_add(by, Ordering::Relaxed);
    }

    /// A task that `matches`.
    pub(super) fn find_task(&self, matches: impl Fn(&SimTask) -> bool) -> Option<Arc<SimTask>> {
        self.tasks.lock().values().find(|task| matches(task)).cloned()
    }

    /// Every task that matches, in the order in which they were spawned.
    pub(super) fn tasks_that(&self, matches: impl Fn(&SimTask) -> bool) -> Vec<Arc<SimTask>> {
        self.tasks.lock().values().filter(|task| matches(task)).cloned().collect()
    }

    pub(super) fn ward(&self) -> &Ward {
        &self.ward
    }

    pub(super) fn forget(&self, seq: u64) {
        // Dropped after the lock: a task may own the last handle to another.
        let task = self.tasks.lock().remove(&seq);
        drop(task);
    }
}

impl Clock for SimRuntime {
    fn now(&self) -> Moment {
        Moment::ZERO + (self.shared.now() - self.origin)
    }

    fn wall(&self) -> Timestamp {
        let step = i128::from(self.shared.wall_step_ns.load(Ordering::Relaxed));
        let nanos = self.shared.wall_start.as_nanosecond() + i128::from(self.shared.now().as_nanos()) + step;
        // Out of range only if a schedule steps the wall clock by millennia.
        Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::MAX)
    }
}

impl Runtime for SimRuntime {
    fn sleep_until(&self, at: Moment) -> BoxFuture<'static, ()> {
        // As on a real machine: never early, and hardly ever exactly on time.
        let late = if at > self.now() { self.shared.timer_delays.below(MAX_TIMER_DELAY_NS) } else { 0 };
        let at = self.origin + at.since_origin() + Duration::from_nanos(late);
        Box::pin(Sleep { shared: self.shared.clone(), at, timer: None })
    }

    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task {
        let seq = self.shared.last_task.fetch_add(1, Ordering::Relaxed) + 1;
        // A call to a port runs on behalf of its caller.
        let caller = match self.place.plane {
            Plane::Io => self.task(),
            Plane::Main | Plane::Work | Plane::Supervision => seq,
        };
        let ready = Arc::clone(&self.shared.ready);
        let task = Arc::new(SimTask::new(seq, caller, name, self.place, ready, future));
        self.shared.tasks.lock().insert(seq, Arc::clone(&task));
        self.expose(&task);
        task.enqueue();
        self.fold(Kind::Spawned, seq);
        task.handle()
    }

    /// All callers that use the same name share one stream, which continues when the service boots again.
    fn entropy(&self, stream: &'static str) -> Arc<dyn Entropy> {
        self.stream(stream)
    }
}

impl fmt::Debug for SimRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimRuntime")
            .field("seed", &self.shared.seed)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

/// A timer that registers itself when it is first polled and deregisters when it is dropped, so that an abandoned one
/// never advances the clock.
struct Sleep {
    shared: Arc<Shared>,
    /// By the world's clock.
    at: Moment,
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.shared.now() >= self.at {
            return Poll::Ready(());
        }
        if let Some(timer) = self.timer {
            self.shared.timers().set_waker(timer, cx.waker());
        } else {
            let timer = self.shared.timers().register(self.at, cx.waker().clone());
            self.timer = Some(timer);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // The waker is dropped after the lock: it may be the last handle to its task.
        let waker = self.timer.and_then(|timer| self.shared.timers().cancel(timer));
        drop(waker);
    }
}

/// Yields a number of times.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
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
