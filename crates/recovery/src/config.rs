//! The settings of recovery, and their bounds. Which value serves which wish is told to operators in `docs/recovery.md`.

use std::ops::RangeInclusive;
use std::time::Duration;

use ttm_kernel::{InvalidSetting, SettingChecks};

const ATTEMPTS: RangeInclusive<u32> = 0..=1_000;
const ATTEMPTS_BOUND: &str = "at most 1000";
const PERIODS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
const PERIODS_BOUND: &str = "at least 1s and at most 24h";
const GRACEFUL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(1);
const GRACEFUL_BOUND: &str = "at least 10ms and at most 1h";

/// What [`RecoveryConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoverySettings {
    /// Restarts of one part within [`restart_cooldown`](Self::restart_cooldown); one more is not made: of a critical part the
    /// plane or the process is replaced, and any other is left to a person.
    pub max_restart_attempts: u32,
    /// The sliding window in which the restarts of one part are counted.
    pub restart_cooldown: Duration,
    /// Restarts of all parts together within a sliding hour; one more is not made. At least
    /// [`max_restart_attempts`](Self::max_restart_attempts), which could not be reached otherwise.
    pub max_restarts_per_hour: u32,
    /// How long a graceful restart waits for what is in flight before the part is aborted.
    pub graceful_shutdown_timeout: Duration,
    /// A part without progress for this long is aborted and started again, whatever a graceful restart is at. At least
    /// [`graceful_shutdown_timeout`](Self::graceful_shutdown_timeout), which could not run out otherwise.
    pub emergency_restart_threshold: Duration,
}

impl Default for RecoverySettings {
    fn default() -> Self {
        Self {
            max_restart_attempts: 3,
            restart_cooldown: Duration::from_mins(5),
            max_restarts_per_hour: 10,
            graceful_shutdown_timeout: Duration::from_secs(30),
            emergency_restart_threshold: Duration::from_mins(10),
        }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryConfig(RecoverySettings);

impl RecoveryConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds, and every two that contradict each other.
    pub fn try_new(settings: RecoverySettings) -> Result<Self, Vec<InvalidSetting>> {
        let RecoverySettings {
            max_restart_attempts: attempts,
            restart_cooldown: cooldown,
            max_restarts_per_hour: per_hour,
            graceful_shutdown_timeout: graceful,
            emergency_restart_threshold: emergency,
        } = settings;
        SettingChecks::default()
            .require(ATTEMPTS.contains(&attempts), "max_restart_attempts", attempts, ATTEMPTS_BOUND)
            .require(PERIODS.contains(&cooldown), "restart_cooldown", cooldown, PERIODS_BOUND)
            .require(ATTEMPTS.contains(&per_hour), "max_restarts_per_hour", per_hour, ATTEMPTS_BOUND)
            .require(GRACEFUL.contains(&graceful), "graceful_shutdown_timeout", graceful, GRACEFUL_BOUND)
            .require(PERIODS.contains(&emergency), "emergency_restart_threshold", emergency, PERIODS_BOUND)
            .require(
                per_hour >= attempts,
                "max_restarts_per_hour",
                format_args!("{per_hour} while max_restart_attempts is {attempts}"),
                "at least max_restart_attempts",
            )
            .require(
                emergency >= graceful,
                "emergency_restart_threshold",
                format_args!("{emergency:?} while graceful_shutdown_timeout is {graceful:?}"),
                "at least graceful_shutdown_timeout",
            )
            .finish(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &RecoverySettings {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: RecoverySettings) -> Vec<String> {
        let errors = RecoveryConfig::try_new(settings).expect_err("refused");
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert_eq!(RecoveryConfig::try_new(RecoverySettings::default()), Ok(RecoveryConfig::default()));
    }

    #[test]
    fn every_setting_out_of_bounds_is_named_at_once() {
        let settings = RecoverySettings {
            max_restart_attempts: 1_001,
            restart_cooldown: Duration::ZERO,
            max_restarts_per_hour: u32::MAX,
            graceful_shutdown_timeout: Duration::ZERO,
            emergency_restart_threshold: Duration::MAX,
        };
        let errors = RecoveryConfig::try_new(settings).expect_err("all are wrong");
        let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
        assert_eq!(
            keys,
            [
                "max_restart_attempts",
                "restart_cooldown",
                "max_restarts_per_hour",
                "graceful_shutdown_timeout",
                "emergency_restart_threshold",
            ]
        );
    }

    #[test]
    fn two_settings_that_contradict_each_other_are_both_named() {
        let settings = RecoverySettings {
            max_restart_attempts: 11,
            graceful_shutdown_timeout: Duration::from_mins(1),
            emergency_restart_threshold: Duration::from_secs(59),
            ..RecoverySettings::default()
        };
        assert_eq!(
            refused(settings),
            [
                "max_restarts_per_hour is 10 while max_restart_attempts is 11: it must be at least max_restart_attempts",
                "emergency_restart_threshold is 59s while graceful_shutdown_timeout is 60s: it must be at least graceful_shutdown_timeout",
            ]
        );
    }

    #[test]
    fn two_settings_that_are_equal_do_not_contradict_each_other() {
        let settings = RecoverySettings {
            max_restart_attempts: 10,
            graceful_shutdown_timeout: Duration::from_secs(1),
            emergency_restart_threshold: Duration::from_secs(1),
            ..RecoverySettings::default()
        };
        assert!(RecoveryConfig::try_new(settings).is_ok());
    }
}
