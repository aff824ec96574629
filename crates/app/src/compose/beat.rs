//! A beat on the supervision plane: while it is young, that plane does its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ttm_kernel::{Moment, Runtime, Task};

/// How often it beats.
const EVERY: Duration = Duration::from_secs(1);
/// A plane that missed this much hangs.
const DEAD_AFTER: Duration = Duration::from_secs(5);

/// What any thread may ask.
pub(super) struct Beat {
    runtime: Arc<dyn Runtime>,
    last: AtomicU64,
}

impl Beat {
    /// Starts to beat, until the task is aborted.
    pub(super) fn start(runtime: &Arc<dyn Runtime>) -> (Arc<Self>, Task) {
        let now = runtime.now().as_nanos();
        let beat = Arc::new(Self { runtime: runtime.clone(), last: AtomicU64::new(now) });
        let beating = beat.clone();
        let task = runtime.spawn(
            "beat",
            Box::pin(async move {
                loop {
                    beating.last.store(beating.runtime.now().as_nanos(), Ordering::Relaxed);
                    beating.runtime.sleep_until(beating.runtime.now() + EVERY).await;
                }
            }),
        );
        (beat, task)
    }

    /// Whether the plane has done something just now.
    pub(super) fn is_alive(&self) -> bool {
        let last = Moment::from_nanos(self.last.load(Ordering::Relaxed));
        self.runtime.now() - last < DEAD_AFTER
    }
}
