//! Assesses the age of the data. An old score makes it degraded: it is still served, with its age.

use crate::{Facts, Findings, FreshnessModel, LaneFacts, LaneModel, Phase, found};

/// The findings come beside the model in the order in which they were found.
pub(super) fn assess(facts: &Facts) -> (FreshnessModel, Findings) {
    let starting = facts.phase == Phase::Starting;
    let (hot, mut findings) = lane("hot", &facts.data.hot, starting);
    let (cold, of_cold) = lane("cold", &facts.data.cold, starting);
    findings.extend(of_cold);
    let data = &facts.data;
    let all = [data.hot.tokens, data.cold.tokens, data.unlisted, data.archived];
    if !starting && all == [0; 4] {
        findings.add(found::no_tokens(&facts.commands));
    }
    // That the API does not list one token is normal; that it lists none points to the API.
    if !starting && data.hot.tokens == 0 && data.cold.tokens == 0 && data.unlisted > 0 {
        findings.add(found::all_unlisted(data.unlisted));
    }
    let model = FreshnessModel {
        status: findings.worst(),
        hot,
        cold,
        unlisted: data.unlisted,
        archived: data.archived,
        findings: findings.clone().worst_first(),
    };
    (model, findings)
}

fn lane(name: &str, lane: &LaneFacts, starting: bool) -> (LaneModel, Findings) {
    let LaneFacts { tokens, never_observed, overdue, stale, expired, ages } = *lane;
    let mut findings = Findings::default();
    if stale > 0 {
        findings.add(found::data_stale(name, lane));
    }
    if starting && tokens == 0 {
        findings.add(found::not_loaded(name));
    } else if overdue > 0 {
        findings.add(found::never_observed(name, lane));
    }
    (LaneModel { status: findings.worst(), tokens, never_observed, stale, expired, ages }, findings)
}
