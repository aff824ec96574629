//! The sections that make up the settings of the service: scheduler, dispatcher, guards, control, recovery and
//! monitoring.

use std::time::Duration;

use ttm_dispatch::{DispatchConfig, DispatchSettings};
use ttm_guard::{GuardConfig, GuardSettings};
use ttm_health::{Commands, ProgressThresholds};
use ttm_kernel::{Instance, Lane, SettingChecks};
use ttm_market::MarketConfig;
use ttm_perf::{ControlConfig, ControlSettings};
use ttm_retry::RetryPolicy;
use ttm_schedule::{ScheduleConfig, ScheduleSettings};

use super::reader::Reader;
use ttm_service::{AlertSettings, Databases, ServiceSettings};

/// The key of the name of this process among several.
pub(super) const INSTANCE: &str = "service.instance";

/// The request budget of scoring.
const BUDGET: &str = "requests_per_minute";

impl Reader<'_> {
    pub(super) fn service(&mut self, timeout: Option<Duration>) -> Option<ServiceSettings> {
        let instance = self.instance();
        let schedule = self.schedule();
        let dispatch = schedule.as_ref().and_then(|schedule| self.dispatch(schedule));
        let control = self.control(timeout);
        let breaker = self.breaker();
        let guard = self.guard(BUDGET, timeout, GuardSettings::default().deadline);
        // Polling the profiles has a deadline of its own, however long scoring may wait.
        let profiles_timeout = timeout.map(|timeout| timeout.min(ServiceSettings::PROFILES_DEADLINE));
        let profiles =
            self.guard("profile_requests_per_minute", profiles_timeout, ServiceSettings::PROFILES_DEADLINE);
        let profiles_limit = self.profiles_limit();
        let health_check_interval = self.duration("monitoring.health_check_interval");
        let resource_check_interval = self.duration("monitoring.resource_check_interval");
        let performance_check_interval = self.duration("monitoring.performance_check_interval");
        let source_poll_interval = self.duration("sources.poll_interval");
        let recovery = self.recovery()?;
        let stop_within = recovery.settings().graceful_shutdown_timeout;
        let stalled = recovery.settings().emergency_restart_threshold;
        Some(ServiceSettings {
            instance: instance?,
            market: MarketConfig::default(),
            schedule: schedule?,
            dispatch: dispatch?,
            control: control?,
            guard: guard?,
            profiles: profiles?,
            profiles_limit: profiles_limit?,
            breaker: breaker?,
            retry: RetryPolicy::default(),
            progress: ProgressThresholds { stall_after: stalled, ..ProgressThresholds::default() },
            report_interval: Duration::from_secs(1),
            health_check_interval: health_check_interval?,
            resource_check_interval: resource_check_interval?,
            performance_check_interval: performance_check_interval?,
            source_poll_interval: source_poll_interval?,
            sample_capacity: ServiceSettings::SAMPLE_CAPACITY,
            stop_within,
            recovery,
            alerts: AlertSettings::new(health_check_interval?, resource_check_interval?),
            // Known once the stores are read.
            databases: Databases::One,
            // Not a setting: the command line knows.
            commands: Commands::default(),
        })
    }

    /// A name that nobody gave is that of the host: the same over restarts, and another one on another machine.
    fn instance(&mut self) -> Option<Instance> {
        let of_host = || Instance::of_host(&rustix::system::uname().nodename().to_string_lossy());
        self.if_set(INSTANCE, None, |reader, _| reader.parsed(INSTANCE).map(Some))
            .map(|given| given.unwrap_or_else(of_host))
    }

    fn profiles_limit(&mut self) -> Option<usize> {
        let limit = self.integer::<usize>("sources.profiles_limit")?;
        let checks = SettingChecks::default().require(
            (1..=1_000_000).contains(&limit),
            "profiles_limit",
            limit,
            "at least 1 and at most 1000000",
        );
        self.checked("sources", checks.finish(limit))
    }

    fn schedule(&mut self) -> Option<ScheduleConfig> {
        let hot_interval = self.duration("scheduler.hot_interval");
        let cold_interval = self.duration("scheduler.cold_interval");
        let settings = ScheduleSettings { hot_interval: hot_interval?, cold_interval: cold_interval? };
        self.checked("scheduler", ScheduleConfig::try_new(settings))
    }

    /// The guard of one request budget of the API; `budget` is the key of its size.
    fn guard(
        &mut self,
        budget: &'static str,
        timeout: Option<Duration>,
        deadline: Duration,
    ) -> Option<GuardConfig> {
        let requests_per_minute = self.integer(&format!("dexscreener.{budget}"));
        // An invalid timeout is already reported; check the rest with the default.
        let attempt_timeout = timeout.unwrap_or(GuardSettings::default().attempt_timeout);
        let settings = GuardSettings {
            attempt_timeout,
            deadline: deadline.max(attempt_timeout),
            requests_per_minute: Some(requests_per_minute?),
            ..GuardSettings::default()
        };
        let config = GuardConfig::try_new(settings).map_err(|mut wrong| {
            // The domain has one name for both budgets.
            wrong.iter_mut().filter(|setting| setting.key == BUDGET).for_each(|setting| setting.key = budget);
            wrong
        });
        self.checked("dexscreener", config)
    }

    /// A recent observation counts as fresh, but for less than an interval, so that every run gets new data.
    fn dispatch(&mut self, schedule: &ScheduleConfig) -> Option<DispatchConfig> {
        let defaults = DispatchSettings::default();
        let settings = DispatchSettings {
            hot_fresh_for: defaults.hot_fresh_for.min(schedule.interval(Lane::Hot) / 2),
            cold_fresh_for: defaults.cold_fresh_for.min(schedule.interval(Lane::Cold) * 2 / 3),
            ..defaults
        };
        self.checked("scheduler", DispatchConfig::try_new(settings))
    }

    /// The configured timeout is the upper limit of the adaptive one.
    fn control(&mut self, timeout: Option<Duration>) -> Option<ControlConfig> {
        let timeout_ceiling = timeout?;
        let defaults = ControlSettings::default();
        let timeout_floor = defaults.timeout_floor.min(timeout_ceiling);
        let settings = ControlSettings { timeout_floor, timeout_ceiling, ..defaults };
        self.checked("dexscreener", ControlConfig::try_new(settings))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::{Settings, load};

    fn read(text: &str, variable: Option<&str>) -> Result<Settings, Vec<String>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.toml");
        std::fs::write(&path, text).expect("written");
        let environment =
            variable.map(|name| (OsString::from("TTM_SERVICE__INSTANCE"), OsString::from(name)));
        load(Some(&path), environment.into_iter()).map_err(|errors| {
            let prefix = format!("{}/", folder.path().display());
            errors.iter().map(|error| error.to_string().replace(&prefix, "")).collect()
        })
    }

    #[test]
    fn an_instance_has_the_name_of_its_host_unless_it_has_one_of_its_own() {
        let host = Instance::of_host(&rustix::system::uname().nodename().to_string_lossy());
        for (text, variable, expected, is_named) in [
            ("", None, host.as_str(), false),
            ("[service]\ninstance = \"\"\n", None, host.as_str(), false),
            ("[service]\ninstance = \"fra1.example:8080\"\n", None, "fra1.example:8080", true),
            ("[service]\ninstance = \"fra1\"\n", Some("fra2"), "fra2", true),
        ] {
            let settings = read(text, variable).expect("valid");
            assert_eq!(
                (settings.service.instance.as_str(), settings.is_named),
                (expected, is_named),
                "{text}"
            );
        }
    }

    #[test]
    fn a_name_that_no_label_takes_is_refused_in_one_line() {
        let expected = "expected 1 to 64 ASCII letters, digits and any of . _ - : /, or empty";
        for bad in ["fra 1", "a=b", "für"] {
            let errors = read(&format!("[service]\ninstance = \"{bad}\"\n"), None).expect_err("invalid");
            assert_eq!(errors, [format!("ttm.toml:2: service.instance is {bad:?}, {expected}")]);
        }
        let long = "x".repeat(65);
        let errors = read("", Some(&long)).expect_err("invalid");
        assert_eq!(errors, [format!("TTM_SERVICE__INSTANCE: service.instance is {long:?}, {expected}")]);
    }
}
