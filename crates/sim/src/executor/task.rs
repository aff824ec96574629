//! One spawned task: its future, its waker, and its end for the holder of its handle. A wake only marks the task as
//! ready, at most once, so what runs next is the executor's seeded choice alone.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::{Mutex, MutexGuard};
use ttm_kernel::{BoxFuture, Moment, Task, TaskEnd};

use super::ailment::Ailment;
use super::place::Place;

/// A task of the executor, which is its own waker. The locks are never contended: the port's bounds require them.
pub(super) struct SimTask {
    seq: u64,
    /// On whose behalf it runs.
    caller: u64,
    name: &'static str,
    place: Place,
    ready: Arc<ReadyQueue>,
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    queued: AtomicBool,
    aborted: AtomicBool,
    /// How a fault ends it at its next poll.
    forced: Mutex<Option<TaskEnd>>,
    /// Zero, or one more than its ailment.
    ailment: AtomicU8,
    /// When it panics, if it is going to.
    panics_from: Mutex<Option<Moment>>,
    end: Mutex<End>,
}

/// The tasks that can run, in the order in which they were spawned, so that the choice among them does not depend on
/// the order of the wakes: tokio's watch channel wakes its receivers in random order.
#[derive(Default)]
pub(super) struct ReadyQueue(Mutex<Vec<Arc<SimTask>>>);

impl ReadyQueue {
    fn insert(&self, task: Arc<SimTask>) {
        let mut ready = self.0.lock();
        let place = ready.partition_point(|other| other.seq < task.seq);
        ready.insert(place, task);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Arc<SimTask>>> {
        self.0.lock()
    }

    /// Drops the tasks that have ended.
    pub(super) fn forget_ended(&self) {
        let (ended, ready) = std::mem::take(&mut *self.lock()).into_iter().partition(|task| task.has_ended());
        *self.lock() = ready;
        // Dropped after the lock: a task may own the last handle to another.
        drop::<Vec<_>>(ended);
    }
}

#[derive(Default)]
struct End {
    reached: Option<TaskEnd>,
    awaiting: Option<Waker>,
}

impl SimTask {
    pub(super) fn new(
        seq: u64,
        caller: u64,
        name: &'static str,
        place: Place,
        ready: Arc<ReadyQueue>,
        future: BoxFuture<'static, ()>,
    ) -> Self {
        Self {
            seq,
            caller,
            name,
            place,
            ready,
            future: Mutex::new(Some(future)),
            queued: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            forced: Mutex::default(),
            ailment: AtomicU8::new(0),
            panics_from: Mutex::default(),
            end: Mutex::default(),
        }
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn caller(&self) -> u64 {
        self.caller
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    fn has_ended(&self) -> bool {
        self.future().is_none()
    }

    /// Ends it like that at its next poll, which is scheduled at once.
    pub(super) fn force_end(self: &Arc<Self>, end: TaskEnd) {
        *self.forced.lock() = Some(end);
        self.enqueue();
    }

    /// How it ends now instead of being polled, if it was aborted or a fault ends it.
    pub(super) fn forced_end(&self, now: Moment) -> Option<TaskEnd> {
        let aborted = self.aborted.load(Ordering::Relaxed).then_some(TaskEnd::Aborted);
        let panics = || self.panics_from.lock().is_some_and(|from| from <= now);
        let panics = || panics().then(|| TaskEnd::Panicked("a fault, at each start".to_owned()));
        aborted.or_else(|| self.forced.lock().take()).or_else(panics)
    }

    pub(super) fn fall_ill(&self, ailment: Ailment) {
        self.ailment.store(ailment as u8 + 1, Ordering::Relaxed);
    }

    pub(super) fn panics_from(&self, from: Moment) {
        *self.panics_from.lock() = Some(from);
    }

    /// Whether it has ever fallen ill.
    pub(super) fn was_struck(&self) -> bool {
        self.ailment.load(Ordering::Relaxed) > 0
    }

    /// Whether it is not polled: it spins, or it hangs and was not aborted.
    pub(super) fn is_stuck(&self) -> bool {
        const HANGS: u8 = Ailment::Hangs as u8 + 1;
        const SPINS: u8 = Ailment::Spins as u8 + 1;
        match self.ailment.load(Ordering::Relaxed) {
            HANGS => !self.aborted.load(Ordering::Relaxed),
            SPINS => true,
            _ => false,
        }
    }

    /// The future; `None` after the end.
    pub(super) fn future(&self) -> MutexGuard<'_, Option<BoxFuture<'static, ()>>> {
        self.future.lock()
    }

    /// From now on a wake enqueues the task again.
    pub(super) fn dequeued(&self) {
        self.queued.store(false, Ordering::Relaxed);
    }

    /// Adds the task to the ready queue, unless it is there.
    pub(super) fn enqueue(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.insert(Arc::clone(self));
        }
    }

    /// Records the end, and wakes the holder of the handle.
    pub(super) fn finish(&self, end: TaskEnd) {
        let awaiting = {
            let mut state = self.end.lock();
            state.reached = Some(end);
            state.awaiting.take()
        };
        awaiting.into_iter().for_each(Waker::wake);
    }

    /// The handle for the code that spawned it.
    pub(super) fn handle(self: &Arc<Self>) -> Task {
        let task = Arc::clone(self);
        let abort = move || {
            task.aborted.store(true, Ordering::Relaxed);
            task.enqueue();
        };
        Task::new(Box::new(abort), Box::pin(Joined { task: Arc::clone(self), completed: false }))
    }
}

impl Wake for SimTask {
    fn wake(self: Arc<Self>) {
        self.enqueue();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.enqueue();
    }
}

/// Completes with the task's end. Like an async block it panics when it is polled after that.
struct Joined {
    task: Arc<SimTask>,
    completed: bool,
}

impl Future for Joined {
    type Output = TaskEnd;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TaskEnd> {
        let Self { task, completed } = self.get_mut();
        assert!(!*completed, "the handle of task {:?} was polled after it completed", task.name);
        let mut end = task.end.lock();
        if let Some(reached) = &end.reached {
            *completed = true;
            return Poll::Ready(reached.clone());
        }
        end.awaiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The message of a panic.
pub(super) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
