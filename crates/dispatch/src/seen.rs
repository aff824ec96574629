//! When a key was last seen, which may be before the process started.

use std::time::Duration;

use ttm_kernel::Moment;

/// A time on the axis of [`Moment`], whose origin may be as recent as the start of the process: what an earlier process saw
/// lies before it, which no [`Moment`] can say. 292 years either way, saturating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen(i64);

impl Seen {
    /// Seen then.
    pub fn at(moment: Moment) -> Self {
        Self(signed(moment.as_nanos()))
    }

    /// Seen so long before `now`.
    pub fn before(now: Moment, age: Duration) -> Self {
        Self(signed(now.as_nanos()).saturating_sub(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How long ago that is; zero when it is yet to come.
    pub fn age(self, now: Moment) -> Duration {
        Duration::from_nanos(signed(now.as_nanos()).saturating_sub(self.0).try_into().unwrap_or(0))
    }
}

fn signed(nanos: u64) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_before_the_process_began_is_as_old_as_it_is() {
        let start = Moment::from_origin(Duration::from_millis(3));
        let hours = Duration::from_hours(7);
        assert_eq!(Seen::before(start, hours).age(start), hours);
        assert_eq!(Seen::before(start, hours).age(start + hours), 2 * hours);
        assert!(Seen::before(start, hours) < Seen::before(start, Duration::from_secs(1)));
        assert_eq!(Seen::at(start).age(start + hours), hours);
        assert_eq!(Seen::at(start + hours).age(start), Duration::ZERO);
        assert!(
            Seen::before(Moment::ZERO, Duration::MAX).age(Moment::MAX) > Duration::from_hours(24 * 365 * 100)
        );
    }
}
