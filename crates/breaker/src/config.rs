//! The settings of a breaker, and the bounds within which it can never be stuck. It reads no file.

use std::time::Duration;

use ttm_kernel::{InvalidSetting, SettingChecks};

/// What [`BreakerConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerSettings {
    /// Failures in a row that open the breaker.
    pub failure_threshold: u32,
    /// How long it stays open the first time.
    pub recovery_timeout: Duration,
    /// The open period doubles with each failed recovery, up to this.
    pub max_recovery_timeout: Duration,
    /// Share by which chance shortens a doubled period, so that many breakers do not probe in step: 0 to 1.
    pub recovery_jitter: f64,
    /// How many probes one recovery may make.
    pub half_open_max_calls: u32,
    /// How many of them must succeed to close the breaker.
    pub success_threshold: u32,
    /// A probe that has not reported for this long is written off, and its place given to another.
    pub probe_lease: Duration,
    /// What a permit that was dropped without a report counts as: the call was cancelled.
    pub on_cancel: CountAs,
    /// What a permit that was dropped by a panic counts as.
    pub on_panic: CountAs,
}

/// What a call that never reported counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountAs {
    /// It says nothing about the far side.
    Ignored,
    /// It speaks against the far side.
    Failure,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            recovery_timeout: Duration::from_mins(1),
            max_recovery_timeout: Duration::from_mins(10),
            recovery_jitter: 0.2,
            half_open_max_calls: 3,
            success_threshold: 3,
            probe_lease: Duration::from_mins(1),
            on_cancel: CountAs::Ignored,
            on_panic: CountAs::Failure,
        }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BreakerConfig(BreakerSettings);

impl BreakerConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: BreakerSettings) -> Result<Self, Vec<InvalidSetting>> {
        let s = &settings;
        SettingChecks::default()
            .require(s.failure_threshold >= 1, "failure_threshold", s.failure_threshold, "at least 1")
            .require(
                !s.recovery_timeout.is_zero(),
                "recovery_timeout",
                s.recovery_timeout,
                "longer than zero, or the breaker would never be open",
            )
            .require(
                s.max_recovery_timeout >= s.recovery_timeout,
                "max_recovery_timeout",
                s.max_recovery_timeout,
                "at least recovery_timeout",
            )
            .require(
                (0.0..=1.0).contains(&s.recovery_jitter),
                "recovery_jitter",
                s.recovery_jitter,
                "between 0 and 1",
            )
            .require(s.half_open_max_calls >= 1, "half_open_max_calls", s.half_open_max_calls, "at least 1")
            .require(
                (1..=s.half_open_max_calls).contains(&s.success_threshold),
                "success_threshold",
                s.success_threshold,
                "at least 1 and at most half_open_max_calls, or the breaker could never close",
            )
            .require(
                !s.probe_lease.is_zero(),
                "probe_lease",
                s.probe_lease,
                "longer than zero, or no probe could ever report",
            )
            .finish(())?;
        Ok(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &BreakerSettings {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert_eq!(BreakerConfig::try_new(BreakerSettings::default()), Ok(BreakerConfig::default()));
    }

    #[test]
    fn every_setting_out_of_bounds_is_named_at_once() {
        let errors = BreakerConfig::try_new(BreakerSettings {
            failure_threshold: 0,
            recovery_timeout: Duration::ZERO,
            recovery_jitter: f64::NAN,
            half_open_max_calls: 0,
            success_threshold: 1,
            probe_lease: Duration::ZERO,
            ..BreakerSettings::default()
        })
        .expect_err("all of these are wrong");
        let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
        assert_eq!(
            keys,
            [
                "failure_threshold",
                "recovery_timeout",
                "recovery_jitter",
                "half_open_max_calls",
                "success_threshold",
                "probe_lease"
            ]
        );
    }

    #[test]
    fn more_successes_than_probes_are_refused_because_the_breaker_could_never_close() {
        let settings =
            BreakerSettings { half_open_max_calls: 2, success_threshold: 3, ..BreakerSettings::default() };
        let errors = BreakerConfig::try_new(settings).expect_err("three of two probes cannot succeed");
        assert_eq!(errors[0].key, "success_threshold");
    }
}
