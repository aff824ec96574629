//! The time of a stop: it stands still while the process is paused, so that each of its stages has after a pause what it had left.
//!
//! In a stop any silence of the supervision plane is taken for a pause: the work plane, whose pulse would tell the two apart, is being
//! stopped itself. What is granted too much is no more than what that plane missed.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ttm_kernel::{DeadlineExceeded, Moment, Runtime};

/// How often it is looked whether the process was paused.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// No timer is so late by itself. Less than any stage of a stop has, so that no pause that is not given back takes it all.
const LEAST: Duration = Duration::from_secs(1);

/// A clock that the pauses of a stop do not move. Clones are one clock.
#[derive(Clone)]
pub(super) struct StopClock {
    runtime: Arc<dyn Runtime>,
    /// How long the process was paused, in nanoseconds.
    paused: Arc<AtomicU64>,
}

impl StopClock {
    /// It goes with the runtime's until [`watch`](Self::watch) sees a pause.
    pub(super) fn new(runtime: &Arc<dyn Runtime>) -> Self {
        Self { runtime: runtime.clone(), paused: Arc::default() }
    }

    fn paused(&self) -> Duration {
        Duration::from_nanos(self.paused.load(Ordering::Relaxed))
    }

    /// The time without pauses.
    pub(super) fn now(&self) -> Moment {
        self.runtime.now().saturating_sub(self.paused())
    }

    /// What the runtime's clock will show then, if no pause comes.
    pub(super) fn outside(&self, at: Moment) -> Moment {
        at + self.paused()
    }

    /// Runs `future` until `deadline` by this clock.
    ///
    /// # Errors
    /// [`DeadlineExceeded`] if the deadline came first.
    pub(super) async fn within<F: Future>(
        &self,
        deadline: Moment,
        future: F,
    ) -> Result<F::Output, DeadlineExceeded> {
        tokio::select! {
            biased;
            value = future => Ok(value),
            () = self.until(deadline) => Err(DeadlineExceeded),
        }
    }

    async fn until(&self, at: Moment) {
        loop {
            self.runtime.sleep_until(self.outside(at)).await;
            if self.now() >= at {
                return;
            }
        }
    }

    /// Runs a stop, and looks for pauses meanwhile: before the stop looks at any of its deadlines.
    pub(super) async fn watch<F: Future>(&self, stop: F) -> F::Output {
        let mut stop = pin!(stop);
        let mut last = self.runtime.now();
        let mut look = self.runtime.sleep_until(last + LOOK_EVERY);
        poll_fn(|cx| {
            let now = self.runtime.now();
            let silent = now - last;
            if silent > LEAST {
                tracing::warn!(
                    paused_s = silent.as_secs_f64(),
                    "paused while stopping; the stop has its time all the same"
                );
                let nanos = u64::try_from(silent.as_nanos()).unwrap_or(u64::MAX);
                self.paused.fetch_add(nanos, Ordering::Relaxed);
            }
            last = now;
            while look.as_mut().poll(cx).is_ready() {
                look = self.runtime.sleep_until(now + LOOK_EVERY);
            }
            stop.as_mut().poll(cx)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
