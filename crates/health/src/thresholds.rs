//! The thresholds of the assessment, and their bounds.

use std::time::Duration;

use ttm_kernel::{InvalidSetting, SettingChecks};

/// Two levels of a figure: degraded from `warning` on, critical from `critical` on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels<T> {
    /// The first degraded value.
    pub warning: T,
    /// The first critical value; at least `warning`.
    pub critical: T,
}

/// What [`Thresholds::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdSettings {
    /// 95th percentile of the API's response time.
    pub api_p95: Levels<Duration>,
    /// Share of attempts that fail, 0 to 1: of calls to the API and of tokens in a run.
    pub error_rate: Levels<f64>,
    /// Memory as a share of its limit, 0 to 100.
    pub memory_percent: Levels<f64>,
    /// CPU as a share of what the process may use.
    pub cpu_percent: Levels<f64>,
    /// Share of the data path's file system, 0 to 100.
    pub disk_percent: Levels<f64>,
    /// Open descriptors as a share of their limit, 0 to 100.
    pub file_descriptor_percent: Levels<f64>,
    /// A group without progress for this many of its intervals is degraded, and for twice as many critical, so that
    /// a slow group is not judged by the interval of a fast one.
    pub progress_intervals: u32,
    /// ... but never before this, however short the interval: one slow answer is not a stall. Critical at twice this.
    pub progress_floor: Duration,
    /// Once a critical group has made no progress for this long, the process is no longer live.
    pub stall_after: Duration,
}

impl Default for ThresholdSettings {
    fn default() -> Self {
        Self {
            api_p95: Levels { warning: Duration::from_secs(2), critical: Duration::from_secs(5) },
            error_rate: Levels { warning: 0.10, critical: 0.20 },
            memory_percent: Levels { warning: 75.0, critical: 90.0 },
            cpu_percent: Levels { warning: 70.0, critical: 80.0 },
            disk_percent: Levels { warning: 80.0, critical: 90.0 },
            file_descriptor_percent: Levels { warning: 70.0, critical: 90.0 },
            progress_intervals: 3,
            progress_floor: Duration::from_mins(1),
            stall_after: Duration::from_mins(10),
        }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thresholds(ThresholdSettings);

/// How long a group may be without progress; each limit is at least the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProgressLimits {
    pub(crate) warning: Duration,
    pub(crate) critical: Duration,
    pub(crate) stall: Duration,
}

impl Thresholds {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: ThresholdSettings) -> Result<Self, Vec<InvalidSetting>> {
        const SHARE: &str = "a warning above 0, then a critical level that is no smaller and at most 1";
        const PERCENT: &str = "a warning above 0, then a critical level that is no smaller and at most 100";
        const RISING: &str = "a warning above 0, then a critical level that is no smaller";
        let s = &settings;
        let times = |levels: Levels<Duration>| !levels.warning.is_zero() && levels.warning <= levels.critical;
        SettingChecks::default()
            .require(times(s.api_p95), "api_p95", s.api_p95.pair(), RISING)
            .require(s.error_rate.rise_to(1.0), "error_rate", s.error_rate.pair(), SHARE)
            .require(s.memory_percent.rise_to(100.0), "memory_percent", s.memory_percent.pair(), PERCENT)
            .require(s.cpu_percent.rise_to(f64::MAX), "cpu_percent", s.cpu_percent.pair(), RISING)
            .require(s.disk_percent.rise_to(100.0), "disk_percent", s.disk_percent.pair(), PERCENT)
            .require(
                s.file_descriptor_percent.rise_to(100.0),
                "file_descriptor_percent",
                s.file_descriptor_percent.pair(),
                PERCENT,
            )
            .require(
                s.progress_intervals >= 2,
                "progress_intervals",
                s.progress_intervals,
                "at least 2: a group makes progress about once an interval",
            )
            .require(
                !s.progress_floor.is_zero(),
                "progress_floor",
                s.progress_floor,
                "longer than zero, or every group would always be late",
            )
            .finish(())?;
        Ok(Self(settings))
    }

    /// The same, with another [`ThresholdSettings::stall_after`]. Any duration is valid: one below a group's critical
    /// limit acts as that limit.
    #[must_use]
    pub fn with_stall_after(mut self, stall_after: Duration) -> Self {
        self.0.stall_after = stall_after;
        self
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &ThresholdSettings {
        &self.0
    }

    /// The limits of a group with this interval.
    pub(crate) fn progress_limits(&self, interval: Duration) -> ProgressLimits {
        let warning = interval.saturating_mul(self.0.progress_intervals).max(self.0.progress_floor);
        let critical = warning.saturating_mul(2);
        ProgressLimits { warning, critical, stall: critical.max(self.0.stall_after) }
    }
}

impl<T: Copy> Levels<T> {
    fn pair(self) -> (T, T) {
        (self.warning, self.critical)
    }
}

impl Levels<f64> {
    fn rise_to(self, most: f64) -> bool {
        0.0 < self.warning && self.warning <= self.critical && self.critical <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert_eq!(Thresholds::try_new(ThresholdSettings::default()), Ok(Thresholds::default()));
    }

    #[test]
    fn every_setting_out_of_bounds_is_named_at_once() {
        let errors = Thresholds::try_new(ThresholdSettings {
            api_p95: Levels { warning: Duration::ZERO, critical: Duration::ZERO },
            error_rate: Levels { warning: 0.1, critical: 1.1 },
            memory_percent: Levels { warning: 90.0, critical: 75.0 },
            cpu_percent: Levels { warning: 70.0, critical: f64::INFINITY },
            disk_percent: Levels { warning: f64::NAN, critical: 90.0 },
            file_descriptor_percent: Levels { warning: 0.0, critical: 90.0 },
            progress_intervals: 1,
            progress_floor: Duration::ZERO,
            stall_after: Duration::ZERO,
        })
        .expect_err("all but the last are wrong");
        let keys: Vec<&str> = errors.iter().map(|error| error.key).collect();
        assert_eq!(
            keys,
            [
                "api_p95",
                "error_rate",
                "memory_percent",
                "cpu_percent",
                "disk_percent",
                "file_descriptor_percent",
                "progress_intervals",
                "progress_floor",
            ]
        );
        assert_eq!(
            errors[2].to_string(),
            "memory_percent is (90.0, 75.0): it must be a warning above 0, then a critical level that is no \
             smaller and at most 100"
        );
    }

    #[test]
    fn a_fast_group_is_measured_by_the_floor_and_a_slow_one_by_its_interval() {
        let limits = |interval, stall_after| {
            let thresholds = Thresholds::default().with_stall_after(Duration::from_secs(stall_after));
            let limits = thresholds.progress_limits(Duration::from_secs(interval));
            [limits.warning, limits.critical, limits.stall].map(|limit| limit.as_secs())
        };
        assert_eq!(limits(10, 600), [60, 120, 600]);
        assert_eq!(limits(45, 600), [135, 270, 600]);
        assert_eq!(limits(600, 600), [1800, 3600, 3600], "an hour between runs is no stall at ten minutes");
        assert_eq!(limits(10, 0), [60, 120, 120], "a stall is at least critical");
    }
}
