//! Assesses the outside API. It is never worse than degraded, because a restart of this service cannot fix it.

use std::time::Duration;

use super::finding::{BEGUN, Findings, limit_in_words, measured, share, spoken};
use super::level::level;
use crate::{
    ApisModel, BreakerState, Facts, OverruledBreaker, Phase, Reached, SilenceFacts, Status, Thresholds,
    UnreadableFacts,
};

/// If every call failed for this long it is an outage, however few there were: a client that backs off makes few.
const OUTAGE: Duration = Duration::from_secs(30);
/// Calls are counted over this. A level is left once it was not reached for as long: a share
/// that hovers around a limit would otherwise cross it again and again.
const WINDOW: Duration = Duration::from_mins(5);
/// A share of fewer calls than this is not significant.
const FEWEST_CALLS: u64 = 10;

pub(super) fn assess(facts: &Facts, thresholds: &Thresholds, reached: &mut Reached) -> (ApisModel, Findings) {
    let api = &facts.api;
    let error_rate = share(api.errors as f64, api.calls as f64).map(|rate| rate.min(1.0));
    let mut findings = Findings::default();
    let why = api.last_error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
    match api.breaker {
        None | Some(BreakerState::Closed | BreakerState::Disabled) => {}
        // Whatever went wrong before: it is not why there are no calls.
        Some(state @ BreakerState::ForcedOpen) => {
            findings.add(
                Status::Critical,
                format!(
                    "DexScreener: the circuit breaker is {}; {}",
                    spelled(state),
                    facts.commands.ends(api.breaker_name)
                ),
            );
        }
        Some(state) => {
            findings.add(
                Status::Critical,
                format!("DexScreener: the circuit breaker is {}{why}", spelled(state)),
            );
        }
    }
    for OverruledBreaker { name, is_open } in &api.overruled {
        let how = if *is_open {
            facts.commands.held_open(name)
        } else {
            format!("an operator has disabled the circuit breaker; {}", facts.commands.ends(name))
        };
        findings.add(Status::Degraded, format!("{name}: {how}"));
    }
    let is_asked = api.breaker != Some(BreakerState::ForcedOpen);
    if let Some(failing) = api.failing_for.filter(|failing| *failing >= OUTAGE && is_asked) {
        let failing = spoken(failing);
        findings.add(Status::Critical, format!("DexScreener: nothing but errors for {failing}{why}"));
    }
    if error_rate.is_some() {
        // One failure among a handful of calls is not a rate yet.
        let (errors, calls) = (api.errors.min(api.calls), api.calls);
        let percent = 100.0 * errors as f64 / calls as f64;
        let judged = if calls < FEWEST_CALLS { 0.0 } else { percent };
        let last = &mut reached.api_errors;
        let (status, limit) = level(judged, &thresholds.api_errors, WINDOW, last, facts.uptime);
        if status > Status::Healthy {
            let limit = limit_in_words(limit, WINDOW, |percent| format!("{percent} %"));
            let few = if calls < FEWEST_CALLS { ", too few to judge" } else { "" };
            findings.add(
                status,
                format!("DexScreener: {errors} of {calls} calls failed ({percent:.1} %){few}; {limit}{why}"),
            );
        }
    } else if is_asked && (facts.measured_for >= BEGUN || facts.phase == Phase::Starting) {
        findings.add(Status::Unknown, "DexScreener: no call in the last five minutes".to_owned());
    }
    if let Some(p95) = api.p95_response_time {
        let (seconds, last) = (p95.as_secs_f64(), &mut reached.api_slow);
        let (status, limit) = level(seconds, &thresholds.api_slow, WINDOW, last, facts.uptime);
        if status > Status::Healthy {
            let of_seconds = |seconds| spoken(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
            let (p95, limit) = (spoken(p95), limit_in_words(limit, WINDOW, of_seconds));
            findings.add(status, format!("DexScreener: 95 % of calls took up to {p95}; {limit}"));
        }
    }
    says_nothing(facts, &mut findings);
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
        alerts: findings.clone().sentences(),
    };
    (model, findings)
}

/// Calls that succeed may still return nothing to score.
fn says_nothing(facts: &Facts, findings: &mut Findings) {
    let answers = facts.api.failing_for.is_none_or(|failing| failing < OUTAGE);
    if let Some(SilenceFacts { tokens, lasts }) = facts.api.silence.filter(|_| answers) {
        let lasts = spoken(lasts);
        let sentence = format!(
            "DexScreener responds, and listed none of the {tokens} tokens requested in the last {lasts}"
        );
        findings.add(Status::Degraded, sentence);
    }
    if let Some(UnreadableFacts { tokens, example }) = &facts.api.unreadable {
        let lanes = [facts.data.hot, facts.data.cold];
        let known = lanes.iter().fold(0, |sum: u64, lane| sum.saturating_add(lane.tokens)).max(*tokens);
        // Some pairs are invalid now and then, which needs no attention until a token is too old because of it.
        let is_felt = lanes.iter().any(|lane| lane.stale > 0 || lane.overdue > 0) || *tokens > known / 2;
        if is_felt {
            findings.add(
                Status::Degraded,
                format!("DexScreener: the data of {tokens} of {known} tokens cannot be read, e.g. {example}"),
            );
        }
    }
}

fn spelled(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
        BreakerState::HalfOpen => "half open",
        BreakerState::ForcedOpen => "held open by an operator",
        BreakerState::Disabled => "disabled",
    }
}
