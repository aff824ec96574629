//! The ports to time and tasks. It does not know whether time is real.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use jiff::Timestamp;

use crate::{Entropy, Moment};

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Reads time.
///
/// Laws: (1) `now` never goes back; (2) `wall` may, by any amount, and no deadline may depend on it.
pub trait Clock: Send + Sync {
    /// The monotonic clock, for durations and deadlines.
    fn now(&self) -> Moment;

    /// The wall clock, for what a person reads or a table stores.
    fn wall(&self) -> Timestamp;
}

/// The time, for somebody who may not need it: a moment that was read already, or a clock that is read when, and only
/// when, the answer depends on it. Reading a clock costs more than most of what is decided by it.
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

    /// The source of chance with this name.
    fn entropy(&self, stream: &'static str) -> Arc<dyn Entropy>;
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// It returned.
    Finished,
    /// It was aborted, or its runtime went away.
    Aborted,
    /// It panicked, with this message.
    Panicked(String),
}

/// A running task; awaiting it gives its end. Dropping the handle leaves the task running.
#[must_use = "a task whose end nobody awaits can panic unseen"]
pub struct Task {
    abort: Box<dyn Fn() + Send + Sync>,
    end: BoxFuture<'static, TaskEnd>,
}

impl Task {
    /// A handle for runtimes: `abort` asks the task to stop, `end` completes when it has.
    pub fn new(abort: Box<dyn Fn() + Send + Sync>, end: BoxFuture<'static, TaskEnd>) -> Self {
        Self { abort, end }
    }

    /// Asks the task to stop at its next yield; await the task to know that it has.
    pub fn abort(&self) {
        (self.abort)();
    }
}

impl Future for Task {
    type Output = TaskEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TaskEnd> {
        self.end.as_mut().poll(cx)
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Task")
    }
}
