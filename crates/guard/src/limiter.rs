//! Gives every attempt its turn: evenly spaced, and none during a pause. It does not know what the turns are used for.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use ttm_kernel::{Moment, Runtime};

/// A limiter that all callers of one target share.
pub(crate) struct Limiter {
    runtime: Arc<dyn Runtime>,
    spacing: RateLimiter<NotKeyed, InMemoryState, PortClock, NoOpMiddleware<Instant>>,
    paused_until: AtomicU64,
}

impl Limiter {
    /// Turns that are `spacing` apart; `spacing` is longer than zero.
    pub(crate) fn new(spacing: Duration, runtime: Arc<dyn Runtime>) -> Self {
        // A quota without more says one at a time: no turn is saved up for a burst.
        let quota = Quota::with_period(spacing).expect("the config's spacing is longer than zero");
        let clock = PortClock(Arc::clone(&runtime));
        let spacing = RateLimiter::direct_with_clock(quota, clock);
        Self { runtime, spacing, paused_until: AtomicU64::new(0) }
    }

    /// Waits for a turn and takes it.
    ///
    /// # Errors
    /// The moment of the next turn, at once, when that is not before `deadline`.
    pub(crate) async fn turn(&self, deadline: Moment) -> Result<(), Moment> {
        loop {
            let paused_until = Moment::from_nanos(self.paused_until.load(Ordering::Relaxed));
            let next = if self.runtime.now() < paused_until {
                paused_until
            } else {
                match self.spacing.check() {
                    Ok(()) => return Ok(()),
                    Err(not_until) => not_until.earliest_possible().0,
                }
            };
            if next >= deadline {
                return Err(next);
            }
            // Others may be quicker when the turn comes; then this caller asks again.
            self.runtime.sleep_until(next).await;
        }
    }

    /// Takes a turn if there is one now.
    pub(crate) fn try_turn(&self) -> bool {
        let paused_until = Moment::from_nanos(self.paused_until.load(Ordering::Relaxed));
        self.runtime.now() >= paused_until && self.spacing.check().is_ok()
    }

    /// No turns before `until`; a pause that is longer already stays.
    pub(crate) fn pause_until(&self, until: Moment) {
        self.paused_until.fetch_max(until.as_nanos(), Ordering::Relaxed);
    }
}

/// Our clock, as governor wants to see it.
struct PortClock(Arc<dyn Runtime>);

impl Clock for PortClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Instant(self.0.now())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Instant(Moment);

impl Add<Nanos> for Instant {
    type Output = Self;

    fn add(self, after: Nanos) -> Self {
        Self(self.0 + Duration::from(after))
    }
}

impl Reference for Instant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.into()))
    }
}
