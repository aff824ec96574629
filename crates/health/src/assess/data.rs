//! Assesses the age of the data. An old score makes it degraded: it is still served, with its age.

use super::finding::{Findings, spoken};
use crate::{Facts, FreshnessModel, LaneFacts, LaneModel, Phase, Status};

pub(super) fn assess(facts: &Facts) -> (FreshnessModel, Findings) {
    let starting = facts.phase == Phase::Starting;
    let (hot, mut findings) = lane("hot", &facts.data.hot, starting);
    let (cold, of_cold) = lane("cold", &facts.data.cold, starting);
    findings.extend(of_cold);
    let data = &facts.data;
    let all = [data.hot.tokens, data.cold.tokens, data.unlisted, data.archived];
    if !starting && all == [0; 4] {
        findings.add(
            Status::Degraded,
            format!("there are no tokens to score; {} brings some", facts.commands.quoted("tokens import")),
        );
    }
    // That the API does not list one token is normal; that it lists none points to the API.
    if !starting && data.hot.tokens == 0 && data.cold.tokens == 0 && data.unlisted > 0 {
        let unlisted = data.unlisted;
        findings.add(Status::Degraded, format!("the API knows none of the {unlisted} tokens"));
    }
    let model = FreshnessModel {
        status: findings.worst(),
        hot,
        cold,
        unlisted: data.unlisted,
        archived: data.archived,
    };
    (model, findings)
}

fn lane(name: &str, lane: &LaneFacts, starting: bool) -> (LaneModel, Findings) {
    let LaneFacts { tokens, never_observed, overdue, stale, expired, ages } = *lane;
    let mut findings = Findings::default();
    if stale > 0 {
        let oldest = ages.map_or_else(String::new, |ages| format!(", the oldest {}", spoken(ages.max)));
        let sentence = format!("{stale} of {tokens} {name} tokens are older than they may be{oldest}");
        findings.add(Status::Degraded, sentence);
    }
    if starting && tokens == 0 {
        findings.add(Status::Unknown, format!("the {name} tokens are not loaded yet"));
    } else if overdue > 0 {
        let sentence =
            format!("{overdue} of {tokens} {name} tokens were never observed, and should have been by now");
        findings.add(Status::Degraded, sentence);
    }
    (LaneModel { status: findings.worst(), tokens, never_observed, stale, expired, ages }, findings)
}
