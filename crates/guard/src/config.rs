//! The settings of a guard.

use std::time::Duration;

use ttm_kernel::{InvalidSetting, SettingChecks};
use ttm_retry::BudgetConfig;

/// What [`GuardConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardSettings {
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How long a call may take, with all its attempts and waits.
    pub deadline: Duration,
    /// What the upstream allows in any sliding minute; none if it sets no limit.
    pub requests_per_minute: Option<u32>,
    /// Share of that which is never used, since requests that leave evenly may arrive bunched: 0 to 99.
    pub headroom_percent: f64,
    /// How long a rate that was cut to nothing would take to recover. A 429 halves it, which takes half of this.
    pub rate_recovery: Duration,
    /// How many attempts may be in flight at once; none if any number may.
    pub max_concurrent: Option<u32>,
    /// What retries are paid from; none if they are free.
    pub budget: Option<BudgetConfig>,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            attempt_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(30),
            requests_per_minute: Some(300),
            headroom_percent: 2.0,
            rate_recovery: Duration::from_mins(1),
            max_concurrent: None,
            budget: Some(BudgetConfig::default()),
        }
    }
}

impl GuardSettings {
    /// Whether a first attempt needs no more than the breaker and a timeout.
    pub(crate) const fn is_plain(&self) -> bool {
        self.requests_per_minute.is_none() && self.max_concurrent.is_none()
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
                s.requests_per_minute.is_none_or(|requests| (1..=1_000_000).contains(&requests)),
                "requests_per_minute",
                s.requests_per_minute.unwrap_or_default(),
                "at least 1 and at most 1000000",
            )
            .require(
                (0.0..=99.0).contains(&s.headroom_percent),
                "headroom_percent",
                s.headroom_percent,
                "between 0 and 99",
            )
            .require(!s.rate_recovery.is_zero(), "rate_recovery", s.rate_recovery, "longer than zero")
            .require(
                s.max_concurrent != Some(0),
                "max_concurrent",
                0,
                "at least 1, or no call could ever be made",
            )
            .finish(())?;
        Ok(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &GuardSettings {
        &self.0
    }

    /// Attempts that may be made in a minute, without the headroom; none if nothing limits them.
    pub fn usable_per_minute(&self) -> Option<f64> {
        let requests = f64::from(self.0.requests_per_minute?);
        Some(requests * (100.0 - self.0.headroom_percent) / 100.0)
    }

    /// The time between two attempts; zero if nothing limits them.
    pub fn spacing(&self) -> Duration {
        self.usable_per_minute().map_or(Duration::ZERO, |usable| Duration::from_secs_f64(60.0 / usable))
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
            requests_per_minute: Some(0),
            headroom_percent: f64::NAN,
            rate_recovery: Duration::ZERO,
            max_concurrent: Some(0),
            ..GuardSettings::default()
        })
        .expect_err("all of these are wrong");
        let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
        assert_eq!(
            keys,
            ["attempt_timeout", "requests_per_minute", "headroom_percent", "rate_recovery", "max_concurrent"]
        );
    }

    #[test]
    fn a_deadline_below_the_attempt_timeout_is_refused_to_the_nanosecond() {
        let defaults = GuardSettings::default;
        let deadline = |deadline| GuardSettings { deadline, ..defaults() };
        let (limit, nanosecond) = (defaults().attempt_timeout, Duration::from_nanos(1));
        assert!(GuardConfig::try_new(deadline(limit)).is_ok());
        assert!(GuardConfig::try_new(deadline(limit.saturating_sub(nanosecond))).is_err());
    }
}
