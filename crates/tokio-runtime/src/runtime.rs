//! Tasks and timers of one tokio runtime. It does not start or stop that runtime.

use std::any::Any;
use std::collections::hash_map::RandomState;
use std::future::pending;
use std::hash::BuildHasher;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use ttm_kernel::{BoxFuture, Clock, Entropy, Moment, Runtime, Task, TaskEnd};
use ttm_xoshiro_entropy::SeededEntropy;

use crate::TokioClock;

/// The [`Runtime`] port on a tokio runtime whose timer is enabled.
///
/// Sleeps and tasks belong to the runtime of the handle, wherever they are awaited: a plane that blocks does not
/// hold up the timers of the other.
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

    /// Runs on the runtime of `handle`, with moments that compare with those of everyone else who has `clock`.
    pub const fn with_clock(handle: Handle, clock: TokioClock) -> Self {
        Self { handle, clock }
    }

    /// Runs on the runtime that the caller runs on.
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
}

impl Runtime for TokioRuntime {
    #[expect(clippy::disallowed_methods, reason = "this is the port that everyone else sleeps through")]
    fn sleep_until(&self, at: Moment) -> BoxFuture<'static, ()> {
        match self.clock.instant(at) {
            Some(instant) => {
                // A sleep registers with the runtime that is entered when it is made.
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
        // The keys of a `RandomState` come from the operating system, and no two in a process are equal: the streams
        // cannot be foreseen, and differ under the same name too.
        Arc::new(SeededEntropy::new(RandomState::new().hash_one(stream)))
    }
}

/// Awaits a task and says how it ended.
async fn end_of(running: JoinHandle<()>) -> TaskEnd {
    match running.await {
        Ok(()) => TaskEnd::Finished,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => TaskEnd::Panicked(message(payload.as_ref())),
            Err(_cancelled) => TaskEnd::Aborted,
        },
    }
}

/// The text that `panic!` was called with.
fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
