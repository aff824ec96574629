//! A clock that a test advances.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ttm_kernel::{Clock, Moment};

/// Starts at [`Moment::ZERO`]; wall time is its start, plus the monotonic time, plus the steps made by the test.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicU64,
    start: Timestamp,
    wall_step_ns: AtomicI64,
    suspended_ns: AtomicU64,
}

impl ManualClock {
    /// A clock whose wall time starts at `start`.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            now: AtomicU64::new(0),
            start,
            wall_step_ns: AtomicI64::new(0),
            suspended_ns: AtomicU64::new(0),
        }
    }

    /// Advances both clocks.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets both clocks to `to`. A time in the past changes nothing, because the monotonic clock never goes back.
    pub fn set(&self, to: Moment) {
        self.now.fetch_max(to.as_nanos(), Ordering::SeqCst);
    }

    /// Suspends the machine: the wall clock goes on, the monotonic one does not.
    pub fn suspend(&self, lasts: Duration) {
        let nanos = u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX);
        self.suspended_ns.fetch_add(nanos, Ordering::SeqCst);
    }

    /// Steps only the wall clock, as NTP does, by at most 292 years.
    pub fn step_wall(&self, by: SignedDuration) {
        let most = if by.is_negative() { i64::MIN } else { i64::MAX };
        self.wall_step_ns.fetch_add(i64::try_from(by.as_nanos()).unwrap_or(most), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    /// Wall time starts at the Unix epoch.
    fn default() -> Self {
        Self::starting_at(Timestamp::UNIX_EPOCH)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.now.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Timestamp {
        let step = SignedDuration::from_nanos(self.wall_step_ns.load(Ordering::SeqCst));
        let elapsed = self.now().since_origin().saturating_add(self.suspended());
        let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
        // Saturates: a test may advance beyond the range of a timestamp.
        self.start
            .saturating_add(elapsed)
            .and_then(|wall| wall.saturating_add(step))
            .unwrap_or(Timestamp::MAX)
    }

    fn suspended(&self) -> Duration {
        Duration::from_nanos(self.suspended_ns.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_advance_together_and_only_wall_time_can_go_back() {
        let clock = ManualClock::default();
        clock.advance(Duration::from_secs(10));
        clock.step_wall(SignedDuration::from_secs(-3));
        assert_eq!(clock.now(), Moment::from_origin(Duration::from_secs(10)));
        assert_eq!(clock.wall(), Timestamp::from_second(7).expect("in range"));
        clock.set(Moment::ZERO);
        assert_eq!(clock.now(), Moment::from_origin(Duration::from_secs(10)));
    }

    #[test]
    fn while_the_machine_is_suspended_only_wall_time_goes_on() {
        let clock = ManualClock::default();
        clock.advance(Duration::from_secs(10));
        assert_eq!(clock.suspended(), Duration::ZERO);
        clock.suspend(Duration::from_mins(1));
        clock.suspend(Duration::from_secs(5));
        assert_eq!(clock.suspended(), Duration::from_secs(65));
        assert_eq!(clock.now(), Moment::from_origin(Duration::from_secs(10)));
        assert_eq!(clock.wall(), Timestamp::from_second(75).expect("in range"));
    }
}
