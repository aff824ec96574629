//! The clocks of the machine: the only place that reads them.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use ttm_kernel::{Clock, Moment};

/// A clock of moments since its creation; copies share that origin, so that moments of two runtimes are comparable.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: Instant,
    /// How far the clock that includes suspends was ahead of the one that does not, at most.
    ahead: Duration,
}

impl TokioClock {
    /// A clock whose origin is now.
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the monotonic clock")]
    pub fn start() -> Self {
        // A pause between the two makes this larger, and so what is told of suspends smaller.
        let (monotonic, boot) = (read(ClockId::Monotonic), read(ClockId::Boottime));
        Self { origin: Instant::now(), ahead: boot.saturating_sub(monotonic) }
    }

    /// The instant at `moment`; `None` if the platform cannot represent it.
    pub(crate) fn instant(self, moment: Moment) -> Option<Instant> {
        self.origin.checked_add(moment.since_origin())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment::from_origin(self.origin.elapsed())
    }

    #[expect(clippy::disallowed_methods, reason = "the only place that reads the wall clock")]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn suspended(&self) -> Duration {
        // In this order a pause between the two is never taken for a suspend.
        let (boot, monotonic) = (read(ClockId::Boottime), read(ClockId::Monotonic));
        since_start(boot, monotonic, self.ahead)
    }
}

/// How much further ahead the clock that includes suspends is than it was.
fn since_start(boot: Duration, monotonic: Duration, ahead: Duration) -> Duration {
    boot.saturating_sub(monotonic).saturating_sub(ahead)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_stays_awake_was_never_suspended() {
        let clock = TokioClock::start();
        for _ in 0..10_000 {
            assert_eq!(clock.suspended(), Duration::ZERO);
        }
    }

    #[test]
    fn what_was_suspended_before_the_start_does_not_count() {
        let seconds = Duration::from_secs;
        assert_eq!(since_start(seconds(100), seconds(90), seconds(7)), seconds(3));
        assert_eq!(since_start(seconds(100), seconds(90), seconds(10)), Duration::ZERO);
        assert_eq!(since_start(seconds(100), seconds(90), seconds(11)), Duration::ZERO);
    }
}
