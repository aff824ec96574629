//! Gives every attempt its turn, whoever asks: the pace, shared, and with a clock. It does not know what the turns are used
//! for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ttm_kernel::{Moment, Runtime};

use crate::pace::{Pace, Slot};
use crate::{Rate, SavedRate};

/// A limiter that all callers of one target share.
pub(crate) struct Limiter {
    runtime: Arc<dyn Runtime>,
    pace: Mutex<Pace>,
    /// The pace's own, written under its lock. Relaxed: nothing else is read by it.
    paused_until: AtomicU64,
}

impl Limiter {
    /// Turns that are `spacing` apart, which is longer than zero; see [`Pace`] for the others.
    pub(crate) fn new(
        spacing: Duration,
        recovery: Duration,
        attempt: Duration,
        runtime: Arc<dyn Runtime>,
    ) -> Self {
        let pace = Mutex::new(Pace::new(spacing, recovery, attempt));
        Self { runtime, pace, paused_until: AtomicU64::new(0) }
    }

    /// Waits for a turn and takes it. Those who wait get theirs in the order in which they asked.
    ///
    /// # Errors
    /// The moment of the next turn, at once, when that is not before `deadline`.
    pub(crate) async fn turn(&self, deadline: Moment) -> Result<(), Moment> {
        loop {
            let now = self.runtime.now();
            let slot = self.pace().take(now, deadline)?;
            if slot.at <= now {
                return Ok(());
            }
            let mut waiting = Waiting { limiter: self, slot: Some(slot) };
            self.runtime.sleep_until(slot.at).await;
            waiting.slot = None;
            if self.pace().holds(slot, self.runtime.now()) {
                return Ok(());
            }
        }
    }

    /// Goes on where another process was so long ago.
    pub(crate) fn resume(&self, saved: SavedRate, elapsed: Duration) {
        let now = self.runtime.now();
        self.change(|pace| pace.resume(saved, elapsed, now));
    }

    /// What the next process should know.
    pub(crate) fn save(&self) -> SavedRate {
        let now = self.runtime.now();
        self.pace().save(now)
    }

    /// The far side said "too many": no turns before `until`, and fewer after it.
    pub(crate) fn slow_down(&self, until: Moment) {
        let now = self.runtime.now();
        self.change(|pace| pace.slow_down(now, until));
    }

    /// How fast turns come now.
    pub(crate) fn rate(&self) -> Rate {
        let now = self.runtime.now();
        let pace = self.pace();
        Rate { share: pace.share(now), paused_until: pace.pause(now) }
    }

    /// The end of the last pause, which may be over.
    #[inline]
    pub(crate) fn paused_until(&self) -> Moment {
        Moment::from_nanos(self.paused_until.load(Ordering::Relaxed))
    }

    /// Changes the pace, and publishes the end of its pause.
    fn change(&self, change: impl FnOnce(&mut Pace)) {
        let mut pace = self.pace();
        change(&mut pace);
        self.paused_until.store(pace.paused_until().as_nanos(), Ordering::Relaxed);
    }

    /// Every change is one call of a total function, so a panic elsewhere leaves the pace whole.
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for a turn; dropped before it comes, it gives the turn back.
struct Waiting<'a> {
    limiter: &'a Limiter,
    slot: Option<Slot>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.limiter.pace().give_back(slot);
        }
    }
}
