//! The single-threaded executor: virtual time, a seeded choice among the tasks that can run, and a trace.
//!
//! Time stands still while a task can run, and then jumps to the next timer. The same seed gives the same polls in the
//! same order; other seeds give other interleavings, which a queue served in order cannot. It knows nothing of what
//! the tasks do.

mod place;
mod runtime;
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

pub use place::{Place, Plane};
use runtime::Shared;
pub use runtime::{SimRuntime, Yields};
use task::{SimTask, message};
use trace::Kind;

/// Polls at one instant after which the tasks are taken to spin: time would never move again.
const POLLS_PER_INSTANT: u32 = 1_000_000;

/// Owns and drives the tasks; the handle that the tasks themselves hold is a [`SimRuntime`].
#[derive(Debug)]
pub struct Executor {
    runtime: SimRuntime,
    choice: SeededEntropy,
    polls: u64,
}

/// Why a run came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The moment was reached; tasks wait for later ones.
    Reached,
    /// No task is left; the clock stands at the moment that was asked for.
    Idle,
    /// Tasks wait, none can run, and there is no timer: nothing will ever happen again.
    Deadlock,
    /// A million polls went by at one instant: some task wakes itself for ever.
    Livelock,
}

impl Executor {
    /// An executor at [`Moment::ZERO`], when the wall shows `wall`; all chance comes from `seed`.
    pub fn new(seed: u64, wall: Timestamp) -> Self {
        Self { runtime: SimRuntime::new(seed, wall), choice: SeededEntropy::stream(seed, "sched"), polls: 0 }
    }

    /// The handle for tasks and ports.
    pub fn runtime(&self) -> &SimRuntime {
        &self.runtime
    }

    /// How often a task was polled so far.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// Lets the tasks run until the clock shows `until` and nothing more can run then.
    pub fn run_until(&mut self, until: Moment) -> Rest {
        loop {
            if !self.run_instant() {
                return Rest::Livelock;
            }
            match self.runtime.shared().fire_next(until) {
                Fired::Woke => {}
                Fired::Later => {
                    self.runtime.shared().advance(until);
                    return Rest::Reached;
                }
                Fired::NoTimer if self.runtime.live_tasks() == 0 => {
                    self.runtime.shared().advance(until);
                    return Rest::Idle;
                }
                Fired::NoTimer => return Rest::Deadlock,
            }
        }
    }

    /// Lets the tasks run until none is left, or none can ever run.
    pub fn run_until_idle(&mut self) -> Rest {
        self.run_until(Moment::MAX)
    }

    /// Steps the wall clock alone, as a correction by NTP does.
    pub fn step_wall(&self, by: SignedDuration) {
        self.runtime.shared().step_wall(by);
        self.runtime.trace(format_args!("wall clock steps by {by}"));
    }

    /// Nothing of a process runs for as long, as after SIGSTOP; all timers of that time are then due at once.
    pub fn freeze(&self, process: u32, lasts: Duration) {
        for plane in Plane::ALL {
            self.hold(process, plane, lasts);
        }
    }

    /// Nothing runs on a plane for as long, as when a task spins or blocks there. A runtime that replaces it meanwhile runs.
    pub fn hold(&self, process: u32, plane: Plane, lasts: Duration) {
        let at = self.runtime.shared().newest(process, plane);
        self.runtime.shared().suspend(at, self.runtime.now() + lasts);
        self.runtime.trace(format_args!("{at:?} is held for {lasts:?}"));
    }

    /// Ends a task by its name at its next turn; false when that process has none.
    pub fn end_part(&self, process: u32, name: &str, end: &TaskEnd) -> bool {
        let part = |task: &SimTask| task.place().process == process && task.name() == name;
        let task = self.runtime.shared().find_task(part);
        if let Some(task) = &task {
            task.doom(end.clone());
        }
        task.is_some()
    }

    /// Drops every task where it stands.
    pub fn kill(&mut self) {
        self.kill_all(|_| true);
    }

    /// Drops every task of a process where it stands, as `kill -9` does; what the ports made durable stays.
    pub fn kill_process(&mut self, process: u32) {
        self.kill_all(|task| task.place().process == process);
        self.runtime.shared().forget_suspended(process);
    }

    fn kill_all(&mut self, matches: impl Fn(&SimTask) -> bool) {
        let shared = self.runtime.shared();
        // Dropping a task may wake or start others: until none is left.
        while let Some(task) = shared.find_task(&matches) {
            self.end(&task, TaskEnd::Aborted);
        }
        shared.ready().forget_ended();
    }

    /// Polls until nothing can run at this instant; false when that never comes.
    fn run_instant(&mut self) -> bool {
        for _ in 0..POLLS_PER_INSTANT {
            match self.runtime.shared().choose(&self.choice) {
                Some(task) => self.poll(&task),
                None => return true,
            }
        }
        false
    }

    fn poll(&mut self, task: &Arc<SimTask>) {
        task.dequeued();
        let end = {
            let mut slot = task.future();
            let Some(future) = slot.as_mut() else { return };
            self.polls += 1;
            self.runtime.fold(Kind::Polled, task.seq());
            self.runtime.shared().run(task);
            if let Some(end) = task.verdict() {
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

    /// Drops what the task owns, forgets the task, and tells who waits for its end.
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
        self.runtime.shared().forget(task.seq());
        task.finish(end);
    }
}

impl Drop for Executor {
    /// Tasks hold the runtime and the runtime holds the tasks: this takes the ring apart.
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the next timer did.
enum Fired {
    /// All timers of the next moment woke their tasks.
    Woke,
    /// The next timer is later than asked for.
    Later,
    /// There is none.
    NoTimer,
}

impl Shared {
    /// Moves the clock to the next timer's moment, if that is not after `until`, and wakes all that wait for it.
    fn fire_next(&self, until: Moment) -> Fired {
        let (timer, resume) = (self.timers().next(), self.next_resume());
        let Some(at) = timer.into_iter().chain(resume).min() else { return Fired::NoTimer };
        if at > until {
            return Fired::Later;
        }
        self.advance(at);
        self.resume_due();
        // One lock for each: a waker takes others.
        loop {
            let due = self.timers().pop_due(at);
            match due {
                Some(waker) => waker.wake(),
                None => return Fired::Woke,
            }
        }
    }

    /// Takes out one of the tasks that can run.
    fn choose(&self, choice: &SeededEntropy) -> Option<Arc<SimTask>> {
        let mut ready = self.ready().lock();
        let suspended = self.suspended();
        if !suspended.is_empty() {
            let free = |task: &Arc<SimTask>| !suspended.contains_key(&task.place());
            let free: Vec<usize> = (0..ready.len()).filter(|at| free(&ready[*at])).collect();
            let at = match free.len() {
                0 => return None,
                many => free[usize::try_from(choice.below(many as u64)).unwrap_or(0)],
            };
            return Some(ready.remove(at));
        }
        let at = match ready.len() {
            0 => return None,
            1 => 0,
            many => usize::try_from(choice.below(many as u64)).unwrap_or(0),
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
