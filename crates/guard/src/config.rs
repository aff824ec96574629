//! The settings of a guard. It reads no file.

use std::time::Duration;

use ttm_kernel::{InvalidSetting, SettingChecks};

/// What [`GuardConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardSettings {
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How long a call may take, with all its attempts and waits.
    pub deadline: Duration,
    /// What the far side allows in any sliding minute.
    pub requests_per_minute: u32,
    /// Share of that which is never used, since what leaves evenly may arrive bunched: 0 to below 100.
    pub headroom_percent: f64,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            attempt_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(30),
            requests_per_minute: 300,
            headroom_percent: 2.0,
        }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GuardConfig(GuardSettings);

impl GuardConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: GuardSettings) -> Result<Self, Vec<InvalidSetting>> {
        let s = &settings;
        SettingChecks::default()
            .require(!s.attempt_timeout.is_zero(), "attempt_timeout", s.attempt_timeout, "longer than zero")
            .require(s.deadline >= s.attempt_timeout, "deadline", s.deadline, "at least attempt_timeout")
            .require(
                (1..=1_000_000).contains(&s.requests_per_minute),
                "requests_per_minute",
                s.requests_per_minute,
                "at least 1 and at most 1000000",
            )
            .require(
                (0.0..=99.0).contains(&s.headroom_percent),
                "headroom_percent",
                s.headroom_percent,
                "between 0 and 99",
            )
            .finish(())?;
        Ok(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &GuardSettings {
        &self.0
    }

    /// The time between two attempts.
    pub fn spacing(&self) -> Duration {
        let usable = f64::from(self.0.requests_per_minute) * (1.0 - self.0.headroom_percent / 100.0);
        Duration::from_secs_f64(60.0 / usable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_checks_and_leave_two_percent_unused() {
        let config = GuardConfig::try_new(GuardSettings::default()).expect("the defaults are valid");
        assert_eq!(config, GuardConfig::default());
        assert_eq!(config.spacing(), Duration::from_secs_f64(60.0 / 294.0));
    }

    #[test]
    fn every_setting_out_of_bounds_is_named_at_once() {
        let errors = GuardConfig::try_new(GuardSettings {
            attempt_timeout: Duration::ZERO,
            requests_per_minute: 0,
            headroom_percent: 100.0,
            ..GuardSettings::default()
        })
        .expect_err("all of these are wrong");
        let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
        assert_eq!(keys, ["attempt_timeout", "requests_per_minute", "headroom_percent"]);
    }
}
