//! Assesses the two groups by their progress. Tokens that one run could not refresh are a figure and not a finding: the next run
//! may, and what is not refreshed for long shows in the age of the data.

use std::time::Duration;

use super::figure::{measured, share};
use crate::found::{self, Quiet, Withheld};
use crate::{
    BreakerState, Facts, Findings, GroupFacts, GroupModel, Phase, ProgressThresholds, SchedulerModel, Status,
};

/// After a pause of the process the lease is renewed within this time, before anything else.
const LEASE_GRACE: Duration = Duration::from_secs(3);

/// The findings of both groups.
pub(super) struct Assessed {
    pub(super) model: SchedulerModel,
    /// Whether a group is stalled for good: the process is not live.
    pub(super) stalled: bool,
}

pub(super) fn assess(facts: &Facts, thresholds: &ProgressThresholds) -> Assessed {
    let (hot, mut findings, hot_stalled) = group("hot", &facts.hot, facts, thresholds);
    let (cold, of_cold, cold_stalled) = group("cold", &facts.cold, facts, thresholds);
    findings.extend(of_cold);
    let attempted = facts.hot.attempted as f64 + facts.cold.attempted as f64;
    let failed = facts.hot.failed as f64 + facts.cold.failed as f64;
    // A run that attempted nothing has no rate.
    let error_rate = share(failed, attempted).map(|rate| rate.min(1.0));
    Assessed {
        model: SchedulerModel {
            status: findings.worst(),
            hot,
            cold,
            tokens_processed_per_minute: measured(facts.tokens_per_minute),
            error_rate,
            tokens_attempted: facts.hot.attempted.saturating_add(facts.cold.attempted),
            tokens_failed: facts.hot.failed.saturating_add(facts.cold.failed),
            findings: findings.worst_first(),
        },
        stalled: hot_stalled || cold_stalled,
    }
}

fn group(
    name: &str,
    group: &GroupFacts,
    facts: &Facts,
    thresholds: &ProgressThresholds,
) -> (GroupModel, Findings, bool) {
    let mut findings = Findings::default();
    let stalled = progress(name, group, facts, thresholds, &mut findings);
    if let Some(panics) = &group.panics {
        findings.add(found::requests_panicked(name, panics));
    }
    let model = GroupModel {
        status: findings.worst(),
        last_run: group.last_run,
        processing_time: group.processing_time,
        missed_runs: group.missed_runs,
        since_progress: group.since_progress,
        withheld_for: group.withheld_for,
    };
    (model, findings, stalled)
}

/// Assesses progress. Returns whether the group is stalled for good.
///
/// Outside [`Phase::Running`] nothing is late: at the start there is no progress yet, at the stop it ends.
fn progress(
    name: &str,
    group: &GroupFacts,
    facts: &Facts,
    thresholds: &ProgressThresholds,
    findings: &mut Findings,
) -> bool {
    let limits = thresholds.limits(group.interval);
    let running = facts.phase == Phase::Running;
    if let Some(lapsed) = facts.lease_lapsed_for.filter(|lapsed| running && *lapsed >= LEASE_GRACE) {
        // Neither stuck nor healthy. What does not renew the lease is a part, which has findings of its own.
        findings.add(found::lease_lapsed(name, lapsed));
        return false;
    }
    // Each run reports again that the API is unavailable: from a scheduler that hangs that report is old.
    let since_tick = group.since_tick.unwrap_or(facts.uptime);
    if let Some(withheld) = group.withheld_for.filter(|_| since_tick < limits.warning) {
        if running {
            let pause = facts.plan.and_then(|plan| plan.paused_for);
            let why = match (facts.api.breaker, pause) {
                (Some(BreakerState::ForcedOpen), _) => {
                    Withheld::HeldOpen(facts.api.breaker_name, &facts.commands)
                }
                (_, Some(left)) => Withheld::RateLimited(left),
                (_, None) => Withheld::Unavailable,
            };
            findings.add(found::group_withheld(name, withheld, &why));
        }
        return false;
    }
    let (quiet, since_start) = match group.since_progress {
        // A withheld group was healthy until its last run started.
        Some(quiet) if group.withheld_for.is_some() => (quiet.min(since_tick), false),
        Some(quiet) => (quiet, false),
        // A group that never started is late from the start of the process on.
        None if running && facts.uptime >= limits.warning => (facts.uptime, true),
        None if facts.phase == Phase::Starting => {
            findings.add(found::not_begun(name));
            return false;
        }
        // A group that has just started has the time that any group may be without progress.
        None => return false,
    };
    if !running || quiet < limits.warning {
        return false;
    }
    let found = Quiet { group: name, lasts: quiet, since_start };
    let Some(of_itself) = of_itself(group, facts, quiet, limits.warning) else {
        findings.add(found::nothing_refreshed(found, limits.warning));
        return false;
    };
    findings.add(if of_itself >= limits.critical {
        found::processing_stopped(found, Status::Critical, limits.critical)
    } else {
        found::processing_stopped(found, Status::Degraded, limits.warning)
    });
    of_itself >= limits.stall
}

/// For how much of the time in which a group made no progress nothing outside kept it from making some. `None` if something outside
/// still does.
fn of_itself(group: &GroupFacts, facts: &Facts, quiet: Duration, limit: Duration) -> Option<Duration> {
    // A group that was withheld has all its time from the end of that on.
    (!fails_from_outside(group, facts, limit))
        .then(|| group.since_held_up.map_or(quiet, |since| quiet.min(since)))
}

/// For how long a group has stood still while nothing outside kept it from its work, as the report judges it. `None` where that
/// is not a question: the API or the lease keeps it from working, or the process is not running.
pub fn stands_still(group: &GroupFacts, facts: &Facts, thresholds: &ProgressThresholds) -> Option<Duration> {
    let limits = thresholds.limits(group.interval);
    let since_tick = group.since_tick.unwrap_or(facts.uptime);
    let is_withheld = group.withheld_for.is_some() && since_tick < limits.warning;
    if facts.phase != Phase::Running || facts.lease_lapsed_for.is_some() || is_withheld {
        return None;
    }
    let quiet = group.since_progress.unwrap_or(facts.measured_for);
    let quiet = if group.withheld_for.is_some() { quiet.min(since_tick) } else { quiet };
    of_itself(group, facts, quiet, limits.warning)
}

/// Whether runs still end and their tokens failed, most of them by requests that failed outside or by answers without them. Such a group is not
/// stuck, and restarting it, or the process, would not help.
fn fails_from_outside(group: &GroupFacts, facts: &Facts, limit: Duration) -> bool {
    let ended_lately =
        group.last_run.is_some_and(|ended| facts.at.duration_since(ended).unsigned_abs() < limit);
    ended_lately && group.failed > group.broken.saturating_mul(2)
}
