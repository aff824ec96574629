//! A clock for what outlives the process: it never goes back, it is never behind the monotonic clock, and it follows the wall
//! clock when that leaps, as after a machine was suspended, but by an hour at most.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ttm_kernel::Moment;

use crate::Now;

/// What the wall clock has to be ahead of the monotonic one in a step to be followed.
const LEAP: Duration = Duration::from_mins(1);
/// How far it is followed.
const MOST: Duration = Duration::from_hours(1);
/// Where it begins, so that what was stored lies before.
const BEGIN: Duration = Duration::from_hours(24 * 366 * 10);

/// The clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steady {
    now: Moment,
    moment: Moment,
    wall: Timestamp,
}

impl Steady {
    pub(super) fn new(now: Now) -> Self {
        Self { now: Moment::from_origin(BEGIN), moment: now.moment, wall: now.wall }
    }

    /// Goes on to this time.
    pub(super) fn read(&mut self, now: Now) -> Moment {
        let passed = now.moment.saturating_since(self.moment);
        let by_wall = since(self.wall, now.wall);
        self.now += if by_wall > passed.saturating_add(LEAP) { by_wall.min(passed + MOST) } else { passed };
        (self.moment, self.wall) = (now.moment.max(self.moment), now.wall);
        self.now
    }

    /// The time that it was read last.
    pub(super) fn now(&self) -> Moment {
        self.now
    }

    /// What the wall clock would have shown then.
    pub(super) fn wall(&self, at: Moment) -> Timestamp {
        let (ago, ahead) = (self.now.saturating_since(at), at.saturating_since(self.now));
        let by = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
        let ahead = SignedDuration::try_from(ahead).unwrap_or(SignedDuration::MAX);
        self.wall.saturating_sub(by).and_then(|at| at.saturating_add(ahead)).unwrap_or(self.wall)
    }

    /// The time at which the wall clock showed this. What seems to lie ahead is now: the clock was put back since.
    pub(super) fn at(&self, wall: Timestamp) -> Moment {
        self.now.saturating_sub(since(wall, self.wall))
    }
}

fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(seconds: u64, wall: i64) -> Now {
        let moment = Moment::from_origin(Duration::from_secs(seconds));
        Now { moment, wall: Timestamp::from_second(wall).expect("in range"), jitter: 0.0 }
    }

    #[track_caller]
    fn check(steps: &[(u64, i64)], seconds: u64) {
        let mut steady = Steady::new(now(0, 1_000_000));
        let begin = steady.now();
        for (moment, wall) in steps {
            steady.read(now(*moment, 1_000_000 + wall));
        }
        assert_eq!(steady.now().saturating_since(begin).as_secs(), seconds, "{steps:?}");
    }

    #[test]
    fn it_goes_on_with_the_monotonic_clock_whatever_the_wall_clock_does() {
        check(&[(10, 10), (20, 20)], 20);
        check(&[(10, -86_400), (20, -86_390)], 20);
        check(&[(10, 40), (20, 10), (30, 60)], 30);
        check(&[(10, 10), (5, 5), (20, 20)], 20);
    }

    #[test]
    fn it_follows_a_leap_of_the_wall_clock_by_an_hour_at_most() {
        check(&[(10, 1_800)], 1_800);
        check(&[(10, 86_400 * 365)], 3_610);
        check(&[(10, 86_400), (20, 86_410)], 3_620);
    }

    #[test]
    fn times_are_stored_by_the_wall_clock_and_never_read_as_ahead() {
        let mut steady = Steady::new(now(0, 1_000_000));
        let at = steady.now();
        steady.read(now(60, 1_000_060));
        assert_eq!(steady.wall(at).as_second(), 1_000_000);
        assert_eq!(steady.at(steady.wall(at)), at);
        assert_eq!(steady.at(now(0, 2_000_000).wall), steady.now());
    }
}
