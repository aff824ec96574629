//! What the service needs to know, as validated values of the domains. Where they were written is the config's concern.

use std::time::Duration;

use ttm_alert::{NotifyConfig, RuleSet, defaults};
use ttm_breaker::{BreakerConfig, BreakerSettings, CountAs};
use ttm_dispatch::DispatchConfig;
use ttm_guard::{GuardConfig, GuardSettings};
use ttm_health::{Commands, ProgressThresholds, Thresholds};
use ttm_kernel::Instance;
use ttm_market::MarketConfig;
use ttm_perf::ControlConfig;
use ttm_recovery::RecoveryConfig;
use ttm_retry::RetryPolicy;
use ttm_schedule::ScheduleConfig;

use crate::databases::Databases;
use crate::machine::WorkSettings;
use crate::thresholds;

/// What the API that scoring depends on is called: its breaker, and what happens to it.
pub(crate) const POOLS: &str = "dexscreener";

/// The lease on the store, as what work depends on.
pub(crate) const LEASE: &str = "the lease on the store";
/// The store of the state, as what parts depend on.
pub(crate) const STORE: &str = "store";
/// The store of samples and events, which may be another one.
pub(crate) const METRICS: &str = "metrics store";

/// The service's settings.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Which of several processes this is: a label of what is measured of it.
    pub instance: Instance,
    /// The market's rules.
    pub market: MarketConfig,
    /// The groups' intervals.
    pub schedule: ScheduleConfig,
    /// What the next request asks for.
    pub dispatch: DispatchConfig,
    /// How timeout and concurrency follow the API.
    pub control: ControlConfig,
    /// Limiter, attempt timeout and deadline of the API.
    pub guard: GuardConfig,
    /// The API's breaker.
    pub breaker: BreakerConfig,
    /// The API's retries.
    pub retry: RetryPolicy,
    /// How long a group may be without progress.
    pub progress: ProgressThresholds,
    /// How often the health report is made.
    pub report_interval: Duration,
    /// How often health figures become history.
    pub health_check_interval: Duration,
    /// How often resources are sampled.
    pub resource_check_interval: Duration,
    /// How often API figures become history.
    pub performance_check_interval: Duration,
    /// How often the sources of tokens are asked what they list.
    pub source_poll_interval: Duration,
    /// Limiter, attempt timeout and deadline of the API's profiles, which have a budget of their own.
    pub profiles: GuardConfig,
    /// Tokens that are followed because of their profiles, at most.
    pub profiles_limit: usize,
    /// Samples that may wait for the store before the oldest are given up.
    pub sample_capacity: usize,
    /// How long a stop may take that the service orders itself. A config file has one key for it and for recovery's
    /// [`graceful_shutdown_timeout`](ttm_recovery::RecoverySettings::graceful_shutdown_timeout).
    pub stop_within: Duration,
    /// What is restarted, how often and how hard.
    pub recovery: RecoveryConfig,
    /// What is told of what goes wrong, and to whom.
    pub alerts: AlertSettings,
    /// Which databases the stores are in, for whoever reads what went wrong in one.
    pub databases: Databases,
    /// How sentences write commands, which differs with how the process was started.
    pub commands: Commands,
}

/// What is told of what goes wrong, and to whom.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// What is wrong for long enough.
    pub rules: RuleSet,
    /// Whom to tell, and when.
    pub notify: NotifyConfig,
    /// How often everything but resources is evaluated; those are with each sample of them.
    pub every: Duration,
    /// How often the heartbeat is sent.
    pub heartbeat: Duration,
}

impl AlertSettings {
    /// The default rules, told to nobody. `every` is how often everything but resources is evaluated, and `resources` how often those are.
    ///
    /// # Panics
    /// Only if the default rules are invalid.
    pub fn new(every: Duration, resources: Duration) -> Self {
        let rules = RuleSet::try_new(defaults::rules(), defaults::catalogue(every, resources));
        let rules = rules.expect("the defaults are valid");
        Self { rules, notify: NotifyConfig::default(), every, heartbeat: Duration::from_mins(1) }
    }
}

impl ServiceSettings {
    /// A few minutes of full load, or an hour of a small set, at about 100 bytes each.
    pub const SAMPLE_CAPACITY: usize = 200_000;
    /// How long a look at the profiles may take: less than a source of tokens may, so that what was wrong is reported.
    pub const PROFILES_DEADLINE: Duration = Duration::from_secs(8);
    /// The longest open period of the API's breaker, unless its first one is longer. A look a minute harms no API, and
    /// tokens grow old until its return is noticed.
    pub const MAX_RECOVERY: Duration = Duration::from_mins(1);

    /// What a breaker has unless the config says otherwise. A call that panics is a defect of ours, and says nothing about the API.
    pub fn breaker_defaults() -> BreakerSettings {
        BreakerSettings {
            max_recovery_timeout: Self::MAX_RECOVERY,
            on_panic: CountAs::Ignored,
            ..BreakerSettings::default()
        }
    }

    /// What is too much for health, by the rules of the alerts where one is about the same.
    pub fn thresholds(&self) -> Thresholds {
        thresholds::under(&self.alerts.rules, self.progress)
    }

    /// No request takes so long: each call that it makes has a deadline, and it makes two at most. One that does hangs.
    pub fn request_hangs_after(&self) -> Duration {
        2 * self.guard.settings().deadline + Duration::from_mins(1)
    }

    /// What the work needs of them.
    pub fn work(&self) -> WorkSettings {
        WorkSettings {
            market: self.market.clone(),
            schedule: self.schedule.clone(),
            dispatch: self.dispatch.clone(),
            control: self.control.clone(),
            requests_per_minute: self.guard.usable_per_minute().unwrap_or(f64::INFINITY),
        }
    }
}

impl Default for ServiceSettings {
    /// What an empty config file means.
    fn default() -> Self {
        let profiles = GuardSettings {
            requests_per_minute: Some(60),
            deadline: Self::PROFILES_DEADLINE,
            ..GuardSettings::default()
        };
        Self {
            instance: Instance::default(),
            market: MarketConfig::default(),
            schedule: ScheduleConfig::default(),
            dispatch: DispatchConfig::default(),
            control: ControlConfig::default(),
            guard: GuardConfig::default(),
            breaker: BreakerConfig::try_new(Self::breaker_defaults()).expect("the defaults are valid"),
            retry: RetryPolicy::default(),
            progress: ProgressThresholds::default(),
            report_interval: Duration::from_secs(1),
            health_check_interval: Duration::from_secs(30),
            resource_check_interval: Duration::from_mins(1),
            performance_check_interval: Duration::from_mins(2),
            source_poll_interval: Duration::from_secs(10),
            profiles: GuardConfig::try_new(profiles).expect("the defaults are valid"),
            profiles_limit: 1_000,
            sample_capacity: Self::SAMPLE_CAPACITY,
            stop_within: Duration::from_secs(30),
            recovery: RecoveryConfig::default(),
            alerts: AlertSettings::new(Duration::from_secs(30), Duration::from_mins(1)),
            databases: Databases::default(),
            commands: Commands::default(),
        }
    }
}
