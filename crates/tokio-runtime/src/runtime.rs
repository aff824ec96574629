//! Tasks and timers of one tokio runtime, which is started and stopped elsewhere.

use std::any::Any;
use std::collections::hash_map::RandomState;
use std::future::pending;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use ttm_kernel::{BoxFuture, Clock, Entropy, Moment, Runtime, Task, TaskEnd};
use ttm_xoshiro_entropy::SeededEntropy;

use crate::TokioClock;

/// The [`Runtime`] port on a tokio runtime whose timer is enabled.
///
/// Sleeps and tasks belong to the runtime of the handle, wherever they are awaited: a plane that blocks does not delay the
/// timers of the other.
#[derive(Clone, Debug)]
pub struct TokioRuntime {
    handle: Handle,
    clock: TokioClock,
}

impl TokioRuntime {
    /// Runs on the runtime of `handle`, with a clock that starts now.
    pub fn new(handle: Handle) -> Self {
        Self::with_clock(handle, TokioClock::start())
    }

    /// Runs on the runtime of `handle`, with moments comparable to those of other runtimes with the same `clock`.
    pub const fn with_clock(handle: Handle, clock: TokioClock) -> Self {
        Self { handle, clock }
    }

    /// Runs on the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn current() -> Self {
        Self::new(Handle::current())
    }

    /// Its clock, for a second runtime.
    pub const fn clock(&self) -> TokioClock {
        self.clock
    }
}

impl Clock for TokioRuntime {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    fn suspended(&self) -> Duration {
        self.clock.suspended()
    }
}

impl Runtime for TokioRuntime {
    #[expect(clippy::disallowed_methods, reason = "the port through which everything else sleeps")]
    fn sleep_until(&self, at: Moment) -> BoxFuture<'static, ()> {
        match self.clock.instant(at) {
            Some(instant) => {
                // A sleep registers with the runtime that is entered at its creation.
                let _entered = self.handle.enter();
                Box::pin(tokio::time::sleep_until(instant.into()))
            }
            None => Box::pin(pending()),
        }
    }

    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        let running = self.handle.spawn(task);
        let abort = running.abort_handle();
        Task::new(Box::new(move || abort.abort()), Box::pin(end_of(running)))
    }

    fn entropy(&self, stream: &'static str) -> Arc<dyn Entropy> {
        // The keys of a `RandomState` come from the operating system and are unique within the process: the streams are
        // unpredictable, and differ even under the same name.
        Arc::new(SeededEntropy::new(RandomState::new().hash_one(stream)))
    }
}

/// Awaits a task and returns how it ended.
async fn end_of(running: JoinHandle<()>) -> TaskEnd {
    match running.await {
        Ok(()) => TaskEnd::Finished,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => TaskEnd::Panicked(message(payload.as_ref())),
            Err(_cancelled) => TaskEnd::Aborted,
        },
    }
}

/// The message of a panic.
fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
