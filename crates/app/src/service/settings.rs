//! What the service needs to know, as validated values of the domains. It does not know where they were written.

use std::time::Duration;

use ttm_breaker::BreakerConfig;
use ttm_guard::GuardConfig;
use ttm_health::Thresholds;
use ttm_market::{MAX_BATCH, MarketConfig};
use ttm_retry::RetryPolicy;
use ttm_schedule::{Group, ScheduleConfig};

/// The service's settings.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// The market's rules.
    pub market: MarketConfig,
    /// The groups' intervals.
    pub schedule: ScheduleConfig,
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
    /// Samples that may wait for the store before the oldest are given up.
    pub sample_capacity: usize,
}

impl ServiceSettings {
    /// A few minutes of full load, or an hour of a small set, at about 100 bytes each.
    pub const SAMPLE_CAPACITY: usize = 200_000;
}

/// How the request budget is shared between the groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkSettings {
    hot_interval: Duration,
    cold_interval: Duration,
    requests_per_minute: f64,
}

impl WorkSettings {
    pub(super) fn new(settings: &ServiceSettings) -> Self {
        Self {
            hot_interval: settings.schedule.interval(Group::Hot),
            cold_interval: settings.schedule.interval(Group::Cold),
            requests_per_minute: 60.0 / settings.guard.spacing().as_secs_f64(),
        }
    }

    /// Requests that the budget holds between two runs of a group.
    fn requests(&self, group: Group) -> f64 {
        let interval = match group {
            Group::Hot => self.hot_interval,
            Group::Cold => self.cold_interval,
        };
        self.requests_per_minute * interval.as_secs_f64() / 60.0
    }

    /// Tokens that one run may ask for: the group's share of the budget, in full batches. The rest of the budget is
    /// for missing tokens and full lists.
    pub(super) fn capacity(&self, group: Group) -> usize {
        let share = match group {
            Group::Hot => 0.6,
            Group::Cold => 0.2,
        };
        whole(self.requests(group) * share).max(1) * MAX_BATCH
    }

    /// Full lists of pools that one run refreshes.
    pub(super) fn lists(&self, group: Group) -> usize {
        match group {
            Group::Hot => 0,
            Group::Cold => whole(self.requests(group) * 0.1).max(1),
        }
    }

    /// Batches in flight at once: enough to use the budget at a second of latency, and more for the hot group, which
    /// must not queue behind the cold one.
    pub(super) const fn concurrency(group: Group) -> usize {
        match group {
            Group::Hot => 6,
            Group::Cold => 2,
        }
    }
}

/// Rounds down; a share of a budget is small and positive.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a budget is small and positive"
)]
const fn whole(share: f64) -> usize {
    share as usize
}
