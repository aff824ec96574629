//! Assesses the outside API. It is never worse than degraded, because a restart of this service cannot fix it.

use std::time::Duration;

use super::figure::{BEGUN, measured, share};
use super::level::level;
use crate::found::{Api, Cleared, breaker_disabled, breaker_held_open, percent};
use crate::{
    ApisModel, BreakerState, Facts, Findings, OverruledBreaker, Phase, Reached, Status, Thresholds,
    UnreadableFacts,
};

/// If every call failed for this long it is an outage, however few there were: a client that backs off makes few.
const OUTAGE: Duration = Duration::from_secs(30);
/// Calls are counted over this. A level is left once it was not reached for as long: a share
/// that hovers around a limit would otherwise cross it again and again.
const WINDOW: Duration = Duration::from_mins(5);
/// A share of fewer calls than this is not significant.
const FEWEST_CALLS: u64 = 10;

/// The findings come beside the model in the order in which they were found.
pub(super) fn assess(facts: &Facts, thresholds: &Thresholds, reached: &mut Reached) -> (ApisModel, Findings) {
    let api = &facts.api;
    let error_rate = share(api.errors as f64, api.calls as f64).map(|rate| rate.min(1.0));
    let mut findings = Findings::default();
    let found = Api { breaker: api.breaker_name, error: api.last_error.as_deref() };
    match api.breaker {
        None | Some(BreakerState::Closed | BreakerState::Disabled) => {}
        Some(state) => findings.add(found.breaker_open(state, &facts.commands)),
    }
    for OverruledBreaker { name, is_open } in &api.overruled {
        let overruled = if *is_open { breaker_held_open } else { breaker_disabled };
        findings.add(overruled(name, &facts.commands));
    }
    let is_asked = api.breaker != Some(BreakerState::ForcedOpen);
    if let Some(failing) = api.failing_for.filter(|failing| *failing >= OUTAGE && is_asked) {
        findings.add(found.down(failing));
    }
    if api.calls > 0 {
        // One failure among a handful of calls is not a rate yet.
        let is_few = api.calls < FEWEST_CALLS;
        let judged = if is_few { 0.0 } else { percent(api.errors, api.calls) };
        let last = &mut reached.api_errors;
        let (status, limit) = level(judged, &thresholds.api_errors, WINDOW, last, facts.uptime);
        if status > Status::Healthy {
            let cleared = Cleared { limit, after: WINDOW };
            findings.add(found.errors([api.errors, api.calls], is_few, status, cleared));
        }
    } else if is_asked && (facts.measured_for >= BEGUN || facts.phase == Phase::Starting) {
        findings.add(found.unused());
    }
    if let Some(p95) = api.p95_response_time {
        let last = &mut reached.api_slow;
        let (status, limit) = level(p95.as_secs_f64(), &thresholds.api_slow, WINDOW, last, facts.uptime);
        if status > Status::Healthy {
            findings.add(found.slow(p95, status, Cleared { limit, after: WINDOW }));
        }
    }
    says_nothing(facts, found, &mut findings);
    // Without any call nothing is known, unless the breaker explains why there was none.
    if findings.worst() != Status::Unknown {
        findings = findings.into_warnings();
    }
    let model = ApisModel {
        status: findings.worst(),
        average_response_time: api.average_response_time,
        p95_response_time: api.p95_response_time,
        error_rate,
        calls: api.calls,
        calls_failed: api.errors,
        circuit_breaker_state: api.breaker,
        cache_hit_rate: measured(api.cache_hit_rate),
        requests_per_minute: measured(api.requests_per_minute),
        last_error: api.last_error.clone(),
        findings: findings.clone().worst_first(),
    };
    (model, findings)
}

/// Calls that succeed may still return nothing to score.
fn says_nothing(facts: &Facts, found: Api<'_>, findings: &mut Findings) {
    let answers = facts.api.failing_for.is_none_or(|failing| failing < OUTAGE);
    if let Some(silence) = facts.api.silence.filter(|_| answers) {
        findings.add(found.silent(silence));
    }
    if let Some(unreadable @ UnreadableFacts { tokens, .. }) = &facts.api.unreadable {
        let lanes = [facts.data.hot, facts.data.cold];
        let known = lanes.iter().fold(0, |sum: u64, lane| sum.saturating_add(lane.tokens)).max(*tokens);
        // Some pairs are invalid now and then, which needs no attention until a token is too old because of it.
        let is_felt = lanes.iter().any(|lane| lane.stale > 0 || lane.overdue > 0) || *tokens > known / 2;
        if is_felt {
            findings.add(found.unreadable(unreadable, known));
        }
    }
}
