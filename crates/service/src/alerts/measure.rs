//! What the monitor knows, as what rules are about. Health is judged from the same facts elsewhere, so what a rule says and what a
//! report says are of one time.

use jiff::Timestamp;
use ttm_alert::{InvalidLabels, Labels, Measurement, Reading};
use ttm_health::{
    Facts, GroupFacts, LaneFacts, Phase, ProgressThresholds, RecoveryFacts, ResourceSample, StoreCall,
    StoreUseFacts, stands_still,
};
use ttm_kernel::Lane;
use ttm_recovery::{PartView, State};

use crate::refusals::Refusals;
use crate::settings::{METRICS, POOLS, STORE};
use crate::stores::StoreUse;

/// What there is to know beside the facts of a report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beside {
    /// All parts.
    pub(crate) parts: Vec<PartView>,
    /// Each breaker, and whether it keeps calls back.
    pub(crate) breakers: Vec<(String, bool)>,
    /// How often each API has refused a call since the start: because it was asked too often, and because it refuses this client.
    pub(crate) refusals: Vec<(String, Refusals)>,
    /// Each channel and feed, and whether it takes nothing.
    pub(crate) channels: Vec<(String, bool)>,
    /// Whether the heartbeat does not arrive; `None` if there is none.
    pub(crate) heartbeat_fails: Option<bool>,
    /// Token states and events that were given up since the start.
    pub(crate) lost: Lost,
    /// How often the wall clock was set.
    pub(crate) clock_steps: u64,
}

/// What was given up since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lost {
    /// Newest states of tokens.
    pub(crate) tokens: u64,
    /// Events.
    pub(crate) events: u64,
}

/// Measurements of one time.
struct Sheet {
    at: Timestamp,
    list: Vec<Measurement>,
}

impl Sheet {
    /// Names that no label can have are cut and cleaned, so that nothing is left out because of one.
    fn put(&mut self, series: &'static str, labels: &[(&str, &str)], reading: Reading) {
        let labels = Labels::try_new(labels.iter().copied()).or_else(|_| cleaned(labels));
        if let Ok(labels) = labels {
            self.list.push(Measurement { series, labels, reading, at: self.at });
        }
    }

    fn event(&mut self, series: &'static str, label: (&str, &str), lasts: bool) {
        self.put(series, &[label], flag(lasts));
    }
}

fn cleaned(labels: &[(&str, &str)]) -> Result<Labels, InvalidLabels> {
    let clean = |value: &str| -> String {
        let known = value.chars().map(|c| if c.is_ascii_graphic() && !",=".contains(c) { c } else { '_' });
        known.take(100).collect()
    };
    let cleaned: Vec<(&str, String)> = labels.iter().map(|(key, value)| (*key, clean(value))).collect();
    Labels::try_new(cleaned.iter().map(|(key, value)| (*key, value.as_str())))
}

fn flag(lasts: bool) -> Reading {
    Reading::Value(f64::from(u8::from(lasts)))
}

fn count(total: u64) -> Reading {
    Reading::Value(total as f64)
}

fn idle(why: &'static str) -> Reading {
    Reading::Idle(why.into())
}

/// What there is to say about everything but resources. Each series is there, whatever is wrong or well.
pub(crate) fn health(facts: &Facts, beside: &Beside, progress: &ProgressThresholds) -> Vec<Measurement> {
    let mut sheet = Sheet { at: facts.at, list: Vec::with_capacity(64) };
    for (lane, group) in [(Lane::Hot, &facts.hot), (Lane::Cold, &facts.cold)] {
        measure_group(&mut sheet, lane.as_str(), group, facts, progress);
    }
    for (lane, tokens) in [(Lane::Hot, &facts.data.hot), (Lane::Cold, &facts.data.cold)] {
        sheet.put("data.stale_percent", &[("api", POOLS), ("lane", lane.as_str())], stale_percent(tokens));
    }
    measure_api(&mut sheet, facts, beside);
    for PartView { name, state, given_up, .. } in &beside.parts {
        sheet.event("recovery.budget_spent", ("part", name), *given_up || *state == State::Escalated);
        sheet.event("recovery.withheld", ("part", name), *state == State::Degraded);
    }
    let RecoveryFacts { needs_a_person, process_ended, .. } = &facts.recovery;
    let is_spent = needs_a_person.is_some() || process_ended.is_some();
    sheet.event("recovery.budget_spent", ("part", "process"), is_spent);
    measure_stores(&mut sheet, facts, beside);
    for source in &facts.sources {
        sheet.event("source.failing", ("source", &source.origin), source.problem.is_some());
    }
    for (channel, fails) in &beside.channels {
        sheet.event("channel.failing", ("channel", channel), *fails);
    }
    sheet.put("heartbeat.failing", &[], beside.heartbeat_fails.map_or(idle("there is none"), flag));
    sheet.put("clock.stepped", &[], count(beside.clock_steps));
    sheet.list
}

fn measure_group(
    sheet: &mut Sheet,
    name: &str,
    group: &GroupFacts,
    facts: &Facts,
    progress: &ProgressThresholds,
) {
    let still = stands_still(group, facts, progress);
    let kept = || {
        idle(if facts.phase == Phase::Running {
            "something outside keeps it from working"
        } else {
            "not running"
        })
    };
    let seconds = still.map_or_else(kept, |still| Reading::Value(still.as_secs_f64()));
    sheet.put("group.without_progress_seconds", &[("group", name)], seconds);
    let overdue = match still {
        // The time in which it could not begin is not its own.
        Some(_) => {
            let since = group.since_tick.unwrap_or(facts.measured_for);
            Reading::Value(since.saturating_sub(group.interval).as_secs_f64())
        }
        None => kept(),
    };
    sheet.put("group.overdue_seconds", &[("group", name)], overdue);
    let errors = match (group.attempted, group.failed) {
        (0, _) => idle("the last run asked for nothing"),
        (attempted, failed) => Reading::Value(100.0 * failed.min(attempted) as f64 / attempted as f64),
    };
    sheet.put("group.error_percent", &[("api", POOLS), ("group", name)], errors);
}

/// Of the tokens that this process was to keep fresh.
fn stale_percent(tokens: &LaneFacts) -> Reading {
    match tokens.tokens {
        0 => idle("there are no tokens"),
        all => Reading::Value(100.0 * (tokens.stale + tokens.overdue).min(all) as f64 / all as f64),
    }
}

/// A share of fewer calls than this is not significant.
const FEWEST_CALLS: u64 = 10;

fn measure_api(sheet: &mut Sheet, facts: &Facts, beside: &Beside) {
    let (api, labels) = (&facts.api, [("api", POOLS)]);
    let few = || idle("there were hardly any calls");
    let p95 = api.p95_response_time.filter(|_| api.calls >= FEWEST_CALLS);
    sheet.put("api.p95_seconds", &labels, p95.map_or_else(few, |p95| Reading::Value(p95.as_secs_f64())));
    let errors = match api.calls {
        0..FEWEST_CALLS => few(),
        calls => Reading::Value(100.0 * api.errors.min(calls) as f64 / calls as f64),
    };
    sheet.put("api.error_percent", &labels, errors);
    for (api, refusals) in &beside.refusals {
        sheet.put("api.rate_limited", &[("api", api)], count(refusals.rate_limited));
        sheet.put("api.forbidden", &[("api", api)], count(refusals.forbidden));
    }
    for (api, is_open) in &beside.breakers {
        sheet.event("breaker.open", ("api", api), *is_open);
    }
}

fn measure_stores(sheet: &mut Sheet, facts: &Facts, beside: &Beside) {
    for store in [STORE, METRICS] {
        let of_store = |each: &&StoreUseFacts| StoreUse::store_of(&each.name) == Some(store);
        let uses = || facts.store.uses.iter().filter(of_store);
        sheet.event(
            "store.down",
            ("store", store),
            uses().any(|each| each.answers == Some(false) && !each.gave_up),
        );
        sheet.event("store.corrupt", ("store", store), uses().any(|each| each.gave_up));
        let refused = uses().any(|each| each.call == Some(StoreCall::Unauthenticated));
        sheet.event("credentials.refused", ("by", store), refused);
    }
    sheet.put("samples.lost", &[("store", STORE)], count(beside.lost.tokens));
    let of_metrics = facts.store.samples_dropped.saturating_add(beside.lost.events);
    sheet.put("samples.lost", &[("store", METRICS)], count(of_metrics));
}

/// What there is to say about resources. The share of a CPU needs two samples.
pub(crate) fn resources(sample: Option<&ResourceSample>, is_first: bool, at: Timestamp) -> Vec<Measurement> {
    let mut sheet = Sheet { at, list: Vec::with_capacity(4) };
    let sample = sample.copied().unwrap_or_default();
    let share = |part: Option<u64>, whole: Option<u64>| {
        whole.filter(|whole| *whole > 0).and_then(|whole| Some(100.0 * part? as f64 / whole as f64))
    };
    let missing = |value: Option<f64>| match value {
        Some(value) => Reading::Value(value),
        None => Reading::Missing("not measured".into()),
    };
    let cpu = match sample.cpu_percent {
        None if is_first => idle("it takes two samples"),
        cpu => missing(cpu),
    };
    sheet.put("resource.memory_percent", &[], missing(share(sample.memory_bytes, sample.memory_limit_bytes)));
    sheet.put("resource.cpu_percent", &[], cpu);
    sheet.put("resource.disk_percent", &[], missing(sample.disk_usage_percent));
    let descriptors = share(sample.open_file_descriptors, sample.file_descriptor_limit);
    sheet.put("resource.file_descriptor_percent", &[], missing(descriptors));
    sheet.list
}

#[cfg(test)]
mod tests {
    use ttm_alert::defaults::{SERIES, check_labels};
    use ttm_health::testing::healthy_facts;

    use super::*;

    #[test]
    fn every_label_that_is_measured_is_one_that_a_route_may_name() {
        let mut facts = healthy_facts();
        facts.store.samples_dropped = 1;
        let found = health(&facts, &Beside::default(), &ProgressThresholds::default());
        let found = [found, resources(None, true, facts.at)].concat();
        assert!(found.len() > 15, "{found:?}");
        for Measurement { series, labels, .. } in &found {
            assert!(SERIES.iter().any(|known| known.name == *series), "{series}");
            assert_eq!(check_labels(Some(("any", Some(*series))), labels), Ok(()), "{series}");
        }
    }
}
