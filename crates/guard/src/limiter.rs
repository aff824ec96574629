//! The rate limiter that all callers of one upstream share: a [`Pace`] with a lock, a clock and waiting callers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ttm_kernel::{Moment, Runtime};

use crate::pace::{Pace, Slot};
use crate::{GuardConfig, Rate, SavedRate};

/// A rate limiter.
pub(crate) struct Limiter {
    runtime: Arc<dyn Runtime>,
    /// None if nothing limits the rate.
    pace: Mutex<Option<Pace>>,
    /// That of the pace, written under its lock. Relaxed: no other memory is published through it.
    paused_until: AtomicU64,
}

impl Limiter {
    /// A limiter with the config's rate.
    pub(crate) fn new(config: &GuardConfig, runtime: Arc<dyn Runtime>) -> Self {
        let pace = spacing(config).map(|spacing| {
            let settings = config.settings();
            Pace::new(spacing, settings.rate_recovery, settings.attempt_timeout)
        });
        Self { runtime, pace: Mutex::new(pace), paused_until: AtomicU64::new(0) }
    }

    /// Replaces the rate; see [`Pace::reconfigure`]. A rate that was not limited before gives its first turn after a spacing,
    /// since an attempt may have been made just before. Without a limit there is no pause either.
    pub(crate) fn reconfigure(&self, config: &GuardConfig) {
        let now = self.runtime.now();
        let (recovery, attempt) = (config.settings().rate_recovery, config.settings().attempt_timeout);
        self.change(|pace| {
            *pace = spacing(config).map(|spacing| {
                if let Some(mut pace) = pace.take() {
                    pace.reconfigure(spacing, recovery, attempt, now);
                    return pace;
                }
                let mut pace = Pace::new(spacing, recovery, attempt);
                pace.resume(SavedRate::default(), Duration::ZERO, now);
                pace
            });
        });
    }

    /// Waits for a turn and takes it. Callers get their turns in the order in which they asked.
    ///
    /// # Errors
    /// The moment of the next turn, at once, if that is not before `deadline`.
    pub(crate) async fn turn(&self, deadline: Moment) -> Result<(), Moment> {
        loop {
            let now = self.runtime.now();
            let Some(taken) = self.pace().as_mut().map(|pace| pace.take(now, deadline)) else {
                return Ok(());
            };
            let slot = taken?;
            if slot.at <= now {
                return Ok(());
            }
            let mut waiting = Waiting { limiter: self, slot: Some(slot) };
            self.runtime.sleep_until(slot.at).await;
            waiting.slot = None;
            let now = self.runtime.now();
            if self.pace().as_ref().is_none_or(|pace| pace.holds(slot, now)) {
                return Ok(());
            }
        }
    }

    /// Continues the rate of another process, saved `elapsed` ago.
    pub(crate) fn resume(&self, saved: SavedRate, elapsed: Duration) {
        let now = self.runtime.now();
        self.change(|pace| {
            if let Some(pace) = pace {
                pace.resume(saved, elapsed, now);
            }
        });
    }

    /// The rate to save for the next process; none if nothing limits it.
    pub(crate) fn save(&self) -> Option<SavedRate> {
        let now = self.runtime.now();
        self.pace().as_ref().map(|pace| pace.save(now))
    }

    /// The upstream answered 429: no turns before `until`, and fewer after it.
    pub(crate) fn slow_down(&self, until: Moment) {
        let now = self.runtime.now();
        self.change(|pace| {
            if let Some(pace) = pace {
                pace.slow_down(now, until);
            }
        });
    }

    /// How fast turns come now; none if nothing limits the rate.
    pub(crate) fn rate(&self) -> Option<Rate> {
        let now = self.runtime.now();
        self.pace().as_ref().map(|pace| Rate { share: pace.share(now), paused_until: pace.pause(now) })
    }

    /// The end of the last pause, which may be over.
    #[inline]
    pub(crate) fn paused_until(&self) -> Moment {
        Moment::from_nanos(self.paused_until.load(Ordering::Relaxed))
    }

    /// Changes the pace, and publishes the end of its pause.
    fn change(&self, change: impl FnOnce(&mut Option<Pace>)) {
        let mut pace = self.pace();
        change(&mut pace);
        let paused_until = pace.as_ref().map_or(Moment::ZERO, Pace::paused_until);
        self.paused_until.store(paused_until.as_nanos(), Ordering::Relaxed);
    }

    /// Every change is one call of a total function, so a poisoned lock holds a consistent pace.
    fn pace(&self) -> MutexGuard<'_, Option<Pace>> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time between two turns; none if nothing limits them.
fn spacing(config: &GuardConfig) -> Option<Duration> {
    Some(config.spacing()).filter(|spacing| !spacing.is_zero())
}

/// A caller that waits for its turn; dropped before it comes, it gives the turn back.
struct Waiting<'a> {
    limiter: &'a Limiter,
    slot: Option<Slot>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot
            && let Some(pace) = self.limiter.pace().as_mut()
        {
            pace.give_back(slot);
        }
    }
}
