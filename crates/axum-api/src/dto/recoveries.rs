//! Models of the recoveries and of the parts that they are about.

use serde::Serialize;
use ttm_recovery::{Budget, Budgets, Lately, PartView, Recovery, Taken};

/// `/api/v1/recoveries`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecoveriesDto {
    /// The last ones, the newest first.
    pub recoveries: Vec<RecoveryDto>,
    /// Why earlier ones may be missing; null if none is.
    pub problem: Option<String>,
}

/// A recovery, or the decision not to begin one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecoveryDto {
    /// Its id, as `12-3`.
    pub id: String,
    /// What it is about: the name of a part, `process` or `work-plane`.
    pub subject: String,
    /// What went wrong.
    pub cause: String,
    /// `transient`, `persistent`, `system` or `critical`; null if a restart was withheld, or ordered by an operator.
    pub class: Option<&'static str>,
    /// Who began it: `service` or `operator`.
    pub by: &'static str,
    /// When it began.
    pub began_at: String,
    /// What was done, in this order.
    pub steps: Vec<StepDto>,
    /// What was away, so that a restart was withheld; null if none was.
    pub withheld_for: Option<String>,
    /// `recovered`, `failed`, `escalated`, `withdrawn`, `replaced` by an operator's order, or `interrupted`; null while it lasts.
    pub outcome: Option<&'static str>,
    /// How long it took, over all processes that it spans; null while it lasts.
    pub duration_seconds: Option<f64>,
    /// What was seen before anything was done.
    pub evidence: Option<String>,
}

/// A step that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepDto {
    /// `start`, `graceful`, `emergency`, `rebuild_plane` or `end_process`.
    pub step: &'static str,
    /// When.
    pub at: String,
    /// Whether it was counted against the budget of restarts.
    pub charged: bool,
}

/// `/api/v1/parts`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartsDto {
    /// All parts, in the order of their table.
    pub parts: Vec<PartDto>,
    /// What is left of the budgets that all parts share; null in the first moments of a service.
    pub budgets: Option<BudgetsDto>,
    /// How much self-healing did in the last hour.
    pub lately: LatelyDto,
}

/// How many recoveries there were in the last hour, or are still under way. One may count in several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LatelyDto {
    /// Those that restarted something.
    pub restarted: u64,
    /// Restarts that were withheld.
    pub withheld: u64,
    /// Those after which a person was needed.
    pub escalated: u64,
}

/// What all parts share. Each part has a budget of its own, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetsDto {
    /// Restarts of the work plane, when its threads were what hung.
    pub work_plane: BudgetDto,
    /// Restarts of the process: deaths without a last word, and ends for its memory or because nothing got on.
    pub process: BudgetDto,
    /// Restarts of all of them together.
    pub restarts: BudgetDto,
    /// New work planes, each of which leaves the threads of the one before behind.
    pub plane_rebuilds: BudgetDto,
    /// Ends of the process.
    pub process_ends: BudgetDto,
}

/// What is left of a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetDto {
    /// So many may still be spent.
    pub left: u32,
    /// So many may be spent in a window; 0 if nothing is done but by hand.
    pub most: u32,
    /// What was spent counts for so long.
    pub window_seconds: u64,
    /// When there is one more; null if nothing was spent.
    pub more_at: Option<String>,
}

/// A part of the service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartDto {
    /// Its name.
    pub name: String,
    /// Whether the service does not do what it is for without it.
    pub critical: bool,
    /// The word of its state, as `running`.
    pub state: &'static str,
    /// Whether it was given up, and has not got on since, whatever is tried.
    pub given_up: bool,
    /// The number of its incarnation.
    pub incarnation: u32,
    /// Since it last got on; null if that is not known.
    pub seconds_since_progress: Option<f64>,
    /// Why it is not running as it should; null if it is.
    pub problem: Option<String>,
    /// What is left of its restarts; null in the first moments of a service.
    pub budget: Option<BudgetDto>,
}

/// The answer to an order to restart a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestartDto {
    /// The part.
    pub part: String,
    /// The recovery that the order began.
    pub recovery: String,
}

impl RecoveriesDto {
    /// These, with why earlier ones may be missing.
    pub fn new(recoveries: Vec<Recovery>, problem: Option<String>) -> Self {
        Self { recoveries: recoveries.into_iter().map(RecoveryDto::from).collect(), problem }
    }
}

impl From<Recovery> for RecoveryDto {
    fn from(recovery: Recovery) -> Self {
        let (outcome, took) = recovery.ended.unzip();
        Self {
            id: recovery.id.to_string(),
            subject: recovery.subject,
            cause: recovery.cause,
            class: recovery.class.map(ttm_kernel::FailureClass::as_str),
            by: recovery.by.as_str(),
            began_at: recovery.began.to_string(),
            steps: recovery.steps.into_iter().map(StepDto::from).collect(),
            withheld_for: recovery.withheld_for,
            outcome: outcome.map(ttm_recovery::Outcome::as_str),
            duration_seconds: took.map(|took| took.as_secs_f64()),
            evidence: recovery.evidence,
        }
    }
}

impl From<Taken> for StepDto {
    fn from(Taken { step, at, charged }: Taken) -> Self {
        Self { step: step.as_str(), at: at.to_string(), charged }
    }
}

impl PartsDto {
    /// Of these parts, whose budgets are known or not.
    pub fn new(parts: Vec<PartView>, budgets: Option<Budgets>, lately: Lately) -> Self {
        let own = |part: &PartView| {
            let known = budgets.iter().flat_map(|budgets| &budgets.parts);
            known.into_iter().find(|(name, _)| *name == part.name).map(|(_, budget)| BudgetDto::from(*budget))
        };
        let parts =
            parts.into_iter().map(|part| PartDto { budget: own(&part), ..PartDto::from(part) }).collect();
        let budgets =
            budgets.map(|Budgets { work_plane, process, restarts, rebuilds, ends, .. }| BudgetsDto {
                work_plane: work_plane.into(),
                process: process.into(),
                restarts: restarts.into(),
                plane_rebuilds: rebuilds.into(),
                process_ends: ends.into(),
            });
        let Lately { restarted, withheld, escalated } = lately;
        Self { parts, budgets, lately: LatelyDto { restarted, withheld, escalated } }
    }
}

impl From<PartView> for PartDto {
    fn from(part: PartView) -> Self {
        let PartView { name, critical, state, given_up, incarnation, since_progress, problem } = part;
        let seconds_since_progress = since_progress.map(|since| since.as_secs_f64());
        let state = state.as_str();
        Self { name, critical, state, given_up, incarnation, seconds_since_progress, problem, budget: None }
    }
}

impl From<Budget> for BudgetDto {
    fn from(Budget { left, most, window, more_at }: Budget) -> Self {
        Self { left, most, window_seconds: window.as_secs(), more_at: more_at.map(|at| at.to_string()) }
    }
}
