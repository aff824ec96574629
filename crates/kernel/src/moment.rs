//! A point on the monotonic clock. Wall time is a [`jiff::Timestamp`].

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Nanoseconds since an origin that the [`Clock`](crate::Clock) chooses; 64 bits hold 584 years.
///
/// All arithmetic saturates: a deadline too far ahead is [`Moment::MAX`], and never wraps into the past.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// The clock's origin.
    pub const ZERO: Self = Self(0);
    /// Later than anything that will happen.
    pub const MAX: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `after` the origin.
    pub fn from_origin(after: Duration) -> Self {
        Self::ZERO + after
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time since the origin.
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Time from `earlier` to here; zero if `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `by` before this one, or the origin.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(by)))
    }
}

/// A duration as nanoseconds, saturating.
fn nanos(duration: Duration) -> u64 {
    // In 64 bits all along: this stands on every path that asks for the time.
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(nanos(after)))
    }
}

impl AddAssign<Duration> for Moment {
    fn add_assign(&mut self, after: Duration) {
        *self = *self + after;
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// Same as [`Moment::saturating_since`].
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{:?}", self.since_origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Moment::ZERO + Duration::MAX, Moment::MAX);
        assert_eq!(Moment::MAX + Duration::from_nanos(1), Moment::MAX);
        assert_eq!(Moment::ZERO - Moment::MAX, Duration::ZERO);
        assert_eq!(Moment::from_nanos(5).saturating_sub(Duration::MAX), Moment::ZERO);
    }

    #[test]
    fn a_moment_prints_as_its_distance_from_the_origin() {
        assert_eq!(format!("{:?}", Moment::from_origin(Duration::from_millis(1500))), "+1.5s");
    }
}
