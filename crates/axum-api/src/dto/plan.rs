//! Models of the plan: what the request budget is used for, and what is deferred.

use serde::Serialize;
use ttm_health::{LanePlan, PlanFacts};

/// The plan's part of `/health/detailed`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanDto {
    /// The requests allowed per minute: the configured budget, or less after a 429.
    pub requests_per_minute: f64,
    /// How much longer requests are paused, as the API asked with Retry-After; null if they are not.
    pub paused_for_seconds: Option<f64>,
    /// The hot lane.
    pub hot: LanePlanDto,
    /// The cold lane.
    pub cold: LanePlanDto,
    /// Tokens unknown to the API that are backing off.
    pub resting: u64,
    /// Full pool lists waiting for a request.
    pub lists_waiting: u64,
    /// Requests in flight.
    pub in_flight: u64,
    /// Their limit.
    pub max_in_flight: u64,
    /// Mean number of tokens in a batch.
    pub tokens_per_batch: Option<f64>,
    /// Timeout of one attempt.
    pub attempt_timeout_seconds: f64,
}

/// The plan of a lane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LanePlanDto {
    /// Requests per minute for its tokens.
    pub requests_per_minute: f64,
    /// Time in which each of its tokens is requested once.
    pub cycle_seconds: f64,
    /// Tokens that are due and wait for a request.
    pub deferred: u64,
    /// Time until the last of those is requested; null while an operator holds all requests back.
    pub comes_within_seconds: Option<f64>,
}

impl From<&PlanFacts> for PlanDto {
    fn from(plan: &PlanFacts) -> Self {
        Self {
            requests_per_minute: plan.requests_per_minute,
            paused_for_seconds: plan.paused_for.map(|time| time.as_secs_f64()),
            hot: LanePlanDto::from(&plan.hot),
            cold: LanePlanDto::from(&plan.cold),
            resting: plan.resting,
            lists_waiting: plan.lists_waiting,
            in_flight: plan.in_flight,
            max_in_flight: plan.max_in_flight,
            tokens_per_batch: plan.tokens_per_batch,
            attempt_timeout_seconds: plan.attempt_timeout.as_secs_f64(),
        }
    }
}

impl From<&LanePlan> for LanePlanDto {
    fn from(plan: &LanePlan) -> Self {
        Self {
            requests_per_minute: plan.requests_per_minute,
            cycle_seconds: plan.cycle.as_secs_f64(),
            deferred: plan.deferred,
            comes_within_seconds: plan.comes_within.map(|within| within.as_secs_f64()),
        }
    }
}
