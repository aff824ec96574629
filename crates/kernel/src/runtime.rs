//! The ports to time and tasks, on real time or on a simulated clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;

use crate::{Entropy, Moment};

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Reads time.
///
/// Laws: (1) `now` never goes back, and stands still while the machine is suspended; (2) `wall` may go back, by any amount, so no
/// deadline may depend on it; (3) `suspended` is never more than it was, and less only by what reading two clocks takes.
pub trait Clock: Send + Sync {
    /// The monotonic clock, for durations and deadlines.
    fn now(&self) -> Moment;

    /// The wall clock, for what a person reads or a table stores.
    fn wall(&self) -> Timestamp;

    /// How long the machine was suspended since the origin of `now`; zero where that is not known. A process that was stopped,
    /// or a virtual machine that was paused, is not a machine that was suspended.
    fn suspended(&self) -> Duration {
        Duration::ZERO
    }
}

/// The time for a callee that may not need it: a moment that was read already, or a clock that is read only if the answer
/// depends on it. Reading a clock costs more than most decisions that need it.
pub trait Now: Copy {
    /// The time.
    fn now(&self) -> Moment;
}

impl Now for Moment {
    fn now(&self) -> Moment {
        *self
    }
}

impl<C: Clock + ?Sized> Now for &C {
    fn now(&self) -> Moment {
        Clock::now(*self)
    }
}

/// Runs tasks against a [`Clock`].
///
/// Laws: (1) `sleep_until` never completes before its moment, and completes at once when it has passed;
/// (2) a task that panics ends as [`TaskEnd::Panicked`] and takes nothing else down; (3) an aborted task is
/// dropped at its next yield; (4) `entropy` streams of different names are independent: one more draw from one
/// does not shift another.
pub trait Runtime: Clock {
    /// Completes at `at`, or soon after.
    fn sleep_until(&self, at: Moment) -> BoxFuture<'static, ()>;

    /// Starts a task. `name` is a static word for logs and traces.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) -> Task;

    /// The random stream with this name.
    fn entropy(&self, stream: &'static str) -> Arc<dyn Entropy>;
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// It returned.
    Finished,
    /// It was aborted, or its runtime was shut down.
    Aborted,
    /// It panicked, with this message.
    Panicked(String),
}

/// A running task. Awaiting it returns its end, and may be done again. Dropping the handle leaves the task running.
#[must_use = "a task that is not awaited can panic unseen"]
pub struct Task {
    abort: Box<dyn Fn() + Send + Sync>,
    state: TaskState,
}

/// The end is kept, because a future must not be polled again after it completed, and a stop may await a task that the
/// supervisor has awaited already.
enum TaskState {
    Running(BoxFuture<'static, TaskEnd>),
    Ended(TaskEnd),
}

impl Task {
    /// Makes a handle, for runtimes: `abort` asks the task to stop, `end` completes when it has.
    pub fn new(abort: Box<dyn Fn() + Send + Sync>, end: BoxFuture<'static, TaskEnd>) -> Self {
        Self { abort, state: TaskState::Running(end) }
    }

    /// Asks the task to stop at its next yield; await the task to wait until it has.
    pub fn abort(&self) {
        (self.abort)();
    }
}

impl Future for Task {
    type Output = TaskEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TaskEnd> {
        let end = match &mut self.state {
            TaskState::Ended(end) => return Poll::Ready(end.clone()),
            TaskState::Running(running) => std::task::ready!(running.as_mut().poll(cx)),
        };
        self.state = TaskState::Ended(end.clone());
        Poll::Ready(end)
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Task")
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_task_can_be_awaited_more_than_once() {
        // Like the state machine of an async block, this panics when it is polled after its end.
        let mut task = Task::new(Box::new(|| ()), Box::pin(async { TaskEnd::Panicked("boom".to_owned()) }));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            let end = Pin::new(&mut task).poll(&mut context);
            assert_eq!(end, Poll::Ready(TaskEnd::Panicked("boom".to_owned())));
        }
    }
}
