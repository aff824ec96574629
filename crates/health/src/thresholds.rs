//! The thresholds of the assessment. The defaults are those of the specification.

use std::time::Duration;

/// A limit that is entered at one value and left below another, so that a value that hovers there changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// The first value beyond it.
    pub enter: f64,
    /// The last value that does not clear it yet; at most `enter`.
    pub exit: f64,
}

/// Two levels of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Degraded.
    pub warning: Limit,
    /// Critical; neither of its values is below that of `warning`.
    pub critical: Limit,
    /// For how long a figure is at a limit before it has reached that level.
    pub hold: Duration,
}

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Memory in use, in percent of its limit.
    pub memory: Levels,
    /// CPU in use, in percent of what the process may use.
    pub cpu: Levels,
    /// Disk in use, in percent of the data path's file system.
    pub disk: Levels,
    /// Open descriptors, in percent of their limit.
    pub descriptors: Levels,
    /// 95th percentile of the API's response time, in seconds.
    pub api_slow: Levels,
    /// Calls to the API that fail, in percent of all.
    pub api_errors: Levels,
    /// How long is too long without progress.
    pub progress: ProgressThresholds,
}

/// How long a group may be without progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgressThresholds {
    /// A group without progress for this many of its intervals is degraded, and for twice as many critical, so that
    /// a slow group is not judged by the interval of a fast one.
    pub intervals: u32,
    /// ... but never before this, however short the interval: one slow answer is not a stall. Critical at twice this.
    pub floor: Duration,
    /// Once a critical group has made no progress for this long, the process is no longer live. Any duration is valid: one below a
    /// group's critical limit acts as that limit.
    pub stall_after: Duration,
}

impl Levels {
    /// Both levels as `[enter, exit]`, reached at once.
    pub const fn new(warning: [f64; 2], critical: [f64; 2]) -> Self {
        let [enter, exit] = warning;
        let warning = Limit { enter, exit };
        let [enter, exit] = critical;
        Self { warning, critical: Limit { enter, exit }, hold: Duration::ZERO }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            memory: Levels::new([75.0, 70.0], [90.0, 85.0]),
            cpu: Levels { hold: Duration::from_mins(2), ..Levels::new([80.0, 75.0], [95.0, 90.0]) },
            disk: Levels::new([80.0, 75.0], [90.0, 85.0]),
            descriptors: Levels::new([70.0, 65.0], [90.0, 85.0]),
            api_slow: Levels::new([2.0, 1.5], [5.0, 4.0]),
            api_errors: Levels::new([10.0, 5.0], [20.0, 15.0]),
            progress: ProgressThresholds::default(),
        }
    }
}

impl Default for ProgressThresholds {
    fn default() -> Self {
        Self { intervals: 3, floor: Duration::from_mins(1), stall_after: Duration::from_mins(10) }
    }
}

/// How long a group may be without progress; each limit is at least the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProgressLimits {
    pub(crate) warning: Duration,
    pub(crate) critical: Duration,
    pub(crate) stall: Duration,
}

impl ProgressThresholds {
    /// The limits of a group with this interval.
    pub(crate) fn limits(&self, interval: Duration) -> ProgressLimits {
        let warning = interval.saturating_mul(self.intervals).max(self.floor);
        let critical = warning.saturating_mul(2);
        ProgressLimits { warning, critical, stall: critical.max(self.stall_after) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_group_is_measured_by_the_floor_and_a_slow_one_by_its_interval() {
        let limits = |interval, stall_after| {
            let stall_after = Duration::from_secs(stall_after);
            let progress = ProgressThresholds { stall_after, ..ProgressThresholds::default() };
            let limits = progress.limits(Duration::from_secs(interval));
            [limits.warning, limits.critical, limits.stall].map(|limit| limit.as_secs())
        };
        assert_eq!(limits(10, 600), [60, 120, 600]);
        assert_eq!(limits(45, 600), [135, 270, 600]);
        assert_eq!(limits(600, 600), [1800, 3600, 3600], "an hour between runs is no stall at ten minutes");
        assert_eq!(limits(10, 0), [60, 120, 120], "a stall is at least critical");
    }
}
