//! The plan on the wire: what the budget of requests is used for, and what has to wait.

use serde::Serialize;
use ttm_health::{LanePlan, PlanFacts};

/// The plan's part of `/health/detailed`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanDto {
    /// Requests that may be made in a minute: the configured budget, or less after the API said "too many".
    pub requests_per_minute: f64,
    /// How long the API asked everybody to wait, while it is on.
    pub paused_for_seconds: Option<f64>,
    /// The hot lane.
    pub hot: LanePlanDto,
    /// The cold lane.
    pub cold: LanePlanDto,
    /// Tokens that the API does not know, and that are left alone for a while.
    pub resting: u64,
    /// Full lists of pools that wait for their turn.
    pub lists_waiting: u64,
    /// Requests under way.
    pub in_flight: u64,
    /// How many may be.
    pub max_in_flight: u64,
    /// How many tokens a batch held on average.
    pub tokens_per_batch: Option<f64>,
    /// How long an attempt may take.
    pub attempt_timeout_seconds: f64,
}

/// What a lane may expect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LanePlanDto {
    /// Requests a minute that its tokens get.
    pub requests_per_minute: f64,
    /// Time in which each of its tokens is asked for once.
    pub cycle_seconds: f64,
    /// Tokens that are due and have to wait for their turn.
    pub deferred: u64,
    /// When the last of those has it.
    pub comes_within_seconds: f64,
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
            in_flight: plan.in_flight.0,
            max_in_flight: plan.in_flight.1,
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
            comes_within_seconds: plan.comes_within.as_secs_f64(),
        }
    }
}
