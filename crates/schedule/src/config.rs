//! The settings of the schedule, and their bounds.

use std::time::Duration;

use ttm_kernel::{InvalidSetting, Lane, SettingChecks};

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_hours(24);
const BOUND: &str = "at least 10ms and at most 24h";

/// What [`ScheduleConfig::try_new`] checks; [`Default`] gives the values of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// Time between the ticks of [`Lane::Hot`].
    pub hot_interval: Duration,
    /// Time between the ticks of [`Lane::Cold`].
    pub cold_interval: Duration,
}

impl Default for ScheduleSettings {
    fn default() -> Self {
        Self { hot_interval: Duration::from_secs(10), cold_interval: Duration::from_secs(45) }
    }
}

/// Settings that passed their checks, as the defaults do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleConfig(ScheduleSettings);

impl ScheduleConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// Every setting that is out of its bounds.
    pub fn try_new(settings: ScheduleSettings) -> Result<Self, Vec<InvalidSetting>> {
        let ScheduleSettings { hot_interval, cold_interval } = settings;
        let valid = SHORTEST..=LONGEST;
        SettingChecks::default()
            .require(valid.contains(&hot_interval), "hot_interval", hot_interval, BOUND)
            .require(valid.contains(&cold_interval), "cold_interval", cold_interval, BOUND)
            .finish(Self(settings))
    }

    /// The settings, to read.
    pub const fn settings(&self) -> &ScheduleSettings {
        &self.0
    }

    /// Time between the ticks of a lane.
    pub const fn interval(&self, lane: Lane) -> Duration {
        match lane {
            Lane::Hot => self.0.hot_interval,
            Lane::Cold => self.0.cold_interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert_eq!(ScheduleConfig::try_new(ScheduleSettings::default()), Ok(ScheduleConfig::default()));
    }

    #[test]
    fn every_setting_out_of_bounds_is_named_at_once() {
        let settings = ScheduleSettings { hot_interval: Duration::ZERO, cold_interval: Duration::MAX };
        let errors = ScheduleConfig::try_new(settings).expect_err("both are wrong");
        let keys: Vec<_> = errors.iter().map(|error| error.key).collect();
        assert_eq!(keys, ["hot_interval", "cold_interval"]);
    }
}
