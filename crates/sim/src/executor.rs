//! The single-threaded executor: virtual time, a seeded choice among the tasks that can run, and a trace.
//!
//! Time stands still while a task can run, and then jumps to the next timer. The same seed gives the same polls in
//! the same order; other seeds give other interleavings, which a first-in, first-out queue would never reach.

mod ailment;
mod place;
mod runtime;
mod strike;
mod task;
mod timers;
mod trace;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ttm_kernel::{Clock, Entropy, Moment, TaskEnd};
use ttm_xoshiro_entropy::SeededEntropy;

pub use ailment::Ailment;
pub use place::{Place, Plane};
use runtime::Shared;
pub use runtime::{SimRuntime, Yields};
pub use strike::{Exhausted, Struck};
use task::{SimTask, message};
use trace::Kind;

/// After this many polls at one instant the tasks are considered to be spinning: time would never advance again.
const POLLS_PER_INSTANT: u32 = 1_000_000;

/// Owns and drives the tasks; the tasks themselves hold a [`SimRuntime`], the handle to it.
#[derive(Debug)]
pub struct Executor {
    runtime: SimRuntime,
    scheduling: SeededEntropy,
    polls: u64,
}

/// Why a run returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// The moment was reached; the remaining tasks wait for later ones.
    Reached,
    /// No task is left; the clock shows the requested moment.
    Idle,
    /// Tasks wait, none can run, and there is no timer: nothing will ever happen again.
    Deadlock,
    /// A million polls happened at one instant: some task wakes itself for ever.
    Livelock,
}

impl Executor {
    /// An executor at [`Moment::ZERO`], when the wall clock shows `wall`; all randomness comes from `seed`.
    pub fn new(seed: u64, wall: Timestamp) -> Self {
        Self {
            runtime: SimRuntime::new(seed, wall),
            scheduling: SeededEntropy::stream(seed, "sched"),
            polls: 0,
        }
    }

    /// The handle for tasks and ports.
    pub fn runtime(&self) -> &SimRuntime {
        &self.runtime
    }

    /// The number of polls so far.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// Runs the tasks until the clock shows `until` and no task can run any more at that moment.
    pub fn run_until(&mut self, until: Moment) -> RunEnd {
        loop {
            if !self.run_instant() {
                return RunEnd::Livelock;
            }
            match self.runtime.shared().fire_next(until) {
                Fired::Woke => {}
                Fired::Later => {
                    self.runtime.shared().advance(until);
                    return RunEnd::Reached;
                }
                Fired::NoTimer if self.runtime.live_tasks() == 0 => {
                    self.runtime.shared().advance(until);
                    return RunEnd::Idle;
                }
                // What is stuck, and what waits for that, is so because of a fault.
                Fired::NoTimer if self.runtime.is_any_stuck() => {
                    self.runtime.shared().advance(until);
                    return RunEnd::Reached;
                }
                Fired::NoTimer => return RunEnd::Deadlock,
            }
        }
    }

    /// Runs the tasks until none is left, or none can ever run again.
    pub fn run_until_idle(&mut self) -> RunEnd {
        self.run_until(Moment::MAX)
    }

    /// Steps the wall clock alone, as a correction by NTP does.
    pub fn step_wall(&self, by: SignedDuration) {
        self.runtime.shared().step_wall(by);
        self.runtime.trace(format_args!("wall clock steps by {by}"));
    }

    /// Suspends a whole process, as SIGSTOP does; timers that expire meanwhile are all due when it resumes.
    pub fn freeze(&self, process: u32, lasts: Duration) {
        for plane in Plane::ALL {
            self.hold(process, plane, lasts);
        }
    }

    /// Suspends one plane, as a task that spins or blocks there does. A runtime that replaces it meanwhile does run.
    pub fn hold(&self, process: u32, plane: Plane, lasts: Duration) {
        let at = self.runtime.shared().newest(process, plane);
        self.runtime.shared().suspend(at, self.runtime.now() + lasts);
        self.runtime.trace(format_args!("{at:?} is held for {lasts:?}"));
    }

    /// Ends the task of this name at its next poll; false if the process has no such task.
    pub fn end_part(&self, process: u32, name: &str, end: &TaskEnd) -> bool {
        let shared = self.runtime.shared();
        let part = |task: &SimTask| {
            let place = task.place();
            task.name() == name && place == shared.newest(process, place.plane)
        };
        let task = self.runtime.shared().find_task(part);
        if let Some(task) = &task {
            task.force_end(end.clone());
        }
        task.is_some()
    }

    /// Drops every task at its current await point.
    pub fn kill(&mut self) {
        self.kill_all(|_| true);
    }

    /// Drops every task of a process at its current await point, as `kill -9` does; what the stores made durable
    /// stays.
    pub fn kill_process(&mut self, process: u32) {
        self.kill_all(|task| task.place().process == process);
        self.runtime.shared().forget_suspended(process);
    }

    fn kill_all(&mut self, matches: impl Fn(&SimTask) -> bool) {
        let shared = self.runtime.shared();
        // Dropping a task may wake or spawn others, so this repeats until none is left.
        while let Some(task) = shared.find_task(&matches) {
            self.end(&task, TaskEnd::Aborted);
        }
        shared.ready().forget_ended();
    }

    /// Polls until no task can run at this instant; false if that never happens.
    fn run_instant(&mut self) -> bool {
        for _ in 0..POLLS_PER_INSTANT {
            match self.runtime.shared().choose(&self.scheduling) {
                Some(task) => self.poll(&task),
                None => return true,
            }
        }
        false
    }

    fn poll(&mut self, task: &Arc<SimTask>) {
        task.dequeued();
        if task.is_stuck() {
            return;
        }
        let end = {
            let mut slot = task.future();
            let Some(future) = slot.as_mut() else { return };
            self.polls += 1;
            self.runtime.fold(Kind::Polled, task.seq());
            self.runtime.shared().run(task);
            if let Some(end) = task.forced_end(self.runtime.shared().now()) {
                Some(end)
            } else {
                let waker = Waker::from(Arc::clone(task));
                let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
                match catch_unwind(AssertUnwindSafe(poll)) {
                    Ok(Poll::Pending) => None,
                    Ok(Poll::Ready(())) => Some(TaskEnd::Finished),
                    Err(payload) => Some(TaskEnd::Panicked(message(payload.as_ref()))),
                }
            }
        };
        if let Some(end) = end {
            self.end(task, end);
        }
    }

    /// Drops what the task owns, removes the task, and wakes the holder of its handle.
    fn end(&self, task: &SimTask, end: TaskEnd) {
        let future = task.future().take();
        let end = match catch_unwind(AssertUnwindSafe(|| drop(future))) {
            Ok(()) => end,
            Err(payload) => TaskEnd::Panicked(message(payload.as_ref())),
        };
        if end != TaskEnd::Finished {
            self.runtime.trace(format_args!("task {} ends: {end:?}", task.name()));
        }
        self.runtime.fold(Kind::Ended, task.seq());
        self.runtime.shared().is_gone(task);
        self.runtime.shared().forget(task.seq());
        task.finish(end);
    }
}

impl Drop for Executor {
    /// Tasks hold the runtime and the runtime holds the tasks: this breaks the reference cycle.
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the next timer did.
enum Fired {
    /// All timers of the next moment woke their tasks.
    Woke,
    /// The next timer is after the requested moment.
    Later,
    /// There is none.
    NoTimer,
}

impl Shared {
    /// Advances the clock to the next timer, if that is not after `until`, and wakes all tasks that wait for it.
    fn fire_next(&self, until: Moment) -> Fired {
        let (timer, resume) = (self.timers().next(), self.next_resume());
        let Some(at) = timer.into_iter().chain(resume).min() else { return Fired::NoTimer };
        if at > until {
            return Fired::Later;
        }
        self.advance(at);
        self.resume_due();
        // The lock is released before each wake: a waker takes other locks.
        loop {
            let due = self.timers().pop_due(at);
            match due {
                Some(waker) => waker.wake(),
                None => return Fired::Woke,
            }
        }
    }

    /// Removes one of the runnable tasks.
    fn choose(&self, scheduling: &SeededEntropy) -> Option<Arc<SimTask>> {
        let mut ready = self.ready().lock();
        let suspended = self.suspended();
        if !suspended.is_empty() {
            let free = |task: &Arc<SimTask>| !suspended.contains_key(&task.place());
            let free: Vec<usize> = (0..ready.len()).filter(|at| free(&ready[*at])).collect();
            let at = match free.len() {
                0 => return None,
                many => free[usize::try_from(scheduling.below(many as u64)).unwrap_or(0)],
            };
            return Some(ready.remove(at));
        }
        let at = match ready.len() {
            0 => return None,
            1 => 0,
            many => usize::try_from(scheduling.below(many as u64)).unwrap_or(0),
        };
        Some(ready.remove(at))
    }
}

impl Clock for Executor {
    fn now(&self) -> Moment {
        self.runtime.now()
    }

    fn wall(&self) -> Timestamp {
        self.runtime.wall()
    }
}
