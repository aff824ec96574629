//! What the service needs to know, as validated values of the domains. It does not know where they were written.

use std::time::Duration;

use ttm_breaker::BreakerConfig;
use ttm_dispatch::DispatchConfig;
use ttm_guard::GuardConfig;
use ttm_health::Thresholds;
use ttm_market::MarketConfig;
use ttm_perf::ControlConfig;
use ttm_retry::RetryPolicy;
use ttm_schedule::ScheduleConfig;

/// The service's settings.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
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
    /// What is too much.
    pub thresholds: Thresholds,
    /// How often the health report is made anew.
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
}

impl ServiceSettings {
    /// A few minutes of full load, or an hour of a small set, at about 100 bytes each.
    pub const SAMPLE_CAPACITY: usize = 200_000;
}
