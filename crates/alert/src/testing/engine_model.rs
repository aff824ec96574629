//! The engine's reference model: every pair of rule and labels there can be, all of them looked at in every evaluation, with
//! durations as plain sums and windows as plain lists. No queue, no index, nothing that is left out because it is inactive.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engine_step::{Measured, Step};
use super::example::{labels, rule_set};
use crate::{Condition, Ending, Labels, Limit, Phase, Reading, RuleSet, RuleSpec, Side, Turn};

/// The model.
#[derive(Clone, Debug)]
pub struct EngineModel {
    rules: RuleSet,
    now: Duration,
    pairs: BTreeMap<(usize, Labels), Pair>,
    collectors: BTreeMap<&'static str, Collector>,
    looked: Duration,
    turns: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Level {
    phase: Phase,
    held: Duration,
    /// What passes of it before any counts, since it was seen between two evaluations.
    ahead: Duration,
}

#[derive(Clone, Debug, Default)]
struct Pair {
    base: Level,
    worse: Level,
    /// The last reading, if it was a value.
    value: Option<f64>,
    restored: bool,
    total: f64,
    growth: Vec<(Duration, f64)>,
}

#[derive(Clone, Debug, Default)]
struct Collector {
    interval: Duration,
    last: Option<Duration>,
    silent: Duration,
    observed: Duration,
    evaluations: u32,
    missing: BTreeMap<(&'static str, Labels), u32>,
}

impl Default for EngineModel {
    fn default() -> Self {
        let rules = rule_set();
        let intervals = rules.catalogue().collectors.iter().map(|it| (it.name, it.interval));
        let named = |(name, interval)| (name, Collector { interval, ..Collector::default() });
        let collectors = intervals.map(named).collect();
        let looked = Duration::ZERO;
        Self { rules, now: looked, pairs: BTreeMap::new(), collectors, looked, turns: Vec::new() }
    }
}

impl EngineModel {
    /// Time since the model began.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// What the last step did, a line each, sorted.
    pub fn turns(&self) -> &[String] {
        &self.turns
    }

    /// Every alert that is not inactive, with its phases and what was observed of them.
    pub fn state(&self) -> Vec<String> {
        let held = |level: &Level| match level.phase {
            Phase::Pending | Phase::Recovering => format!("{} {:?}", level.phase, level.held),
            phase => format!("{phase} 0ns"),
        };
        let is_active = |(_, pair): &(&(usize, Labels), &Pair)| pair.base.phase != Phase::Inactive;
        let line = |((rule, labels), pair): (&(usize, Labels), &Pair)| {
            let rule = &self.rules.rules()[*rule].name;
            format!("{rule}{{{labels}}} {}, {}", held(&pair.base), held(&pair.worse))
        };
        let mut lines: Vec<String> = self.pairs.iter().filter(is_active).map(line).collect();
        lines.sort_unstable();
        lines
    }

    /// Applies a step.
    pub fn apply(&mut self, step: &Step) {
        self.turns.clear();
        match step {
            Step::Evaluate { collector, mentions } => self.evaluate(collector, mentions),
            Step::Happens(measured) => self.happens(measured, true),
            Step::Pass(time) => {
                self.now += *time;
                self.look();
            }
            Step::Restart => {
                self.again();
                self.looked = self.now;
                for collector in self.collectors.values_mut() {
                    let interval = collector.interval;
                    *collector = Collector { interval, ..Collector::default() };
                }
                for pair in self.pairs.values_mut() {
                    (pair.total, pair.growth) = (0.0, Vec::new());
                }
            }
            Step::Reload => self.again(),
        }
        self.turns.sort_unstable();
    }

    fn again(&mut self) {
        self.pairs.retain(|(rule, _), pair| {
            let is_rate = matches!(self.rules.rules()[*rule].condition, Condition::Rate { .. });
            pair.base.phase != Phase::Inactive || is_rate
        });
        for pair in self.pairs.values_mut() {
            (pair.value, pair.restored) = (None, pair.base.phase != Phase::Inactive);
            (pair.base.ahead, pair.worse.ahead) = (Duration::ZERO, Duration::ZERO);
        }
    }

    fn evaluate(&mut self, name: &'static str, mentions: &[Measured]) {
        let collector = self.collectors.get_mut(name).expect("the example has it");
        let gap = collector.last.map_or(Duration::ZERO, |last| self.now.saturating_sub(last));
        let counted = if gap > collector.interval * 3 { Duration::ZERO } else { gap };
        (collector.last, collector.silent) = (Some(self.now), Duration::ZERO);
        collector.observed += counted;
        // Whatever is not mentioned is as it was; what a fact says last before the end is what counts for its time.
        let of_collector = self.of(name);
        for (rule, labels) in &of_collector {
            let series = self.rules.rules()[*rule].series.clone();
            let is_of = |it: &&Measured| Some(it.series) == series.as_deref() && it.labels == *labels;
            let first = mentions.iter().find(is_of);
            let stays_known = first.is_none_or(|it| it.reading.value().is_some());
            let pair = self.pairs.get_mut(&(*rule, labels.clone())).expect("it is listed");
            if pair.value.is_some() && stays_known {
                pair.base.passes(counted);
                pair.worse.passes(counted);
            }
        }
        for measured in mentions {
            self.happens(measured, false);
        }
        for (rule, labels) in of_collector {
            let pair = self.pairs.get_mut(&(rule, labels.clone())).expect("it is listed");
            if std::mem::take(&mut pair.restored) {
                self.see(rule, &labels, &Reading::Gone, false);
            } else if pair.value.is_some() {
                self.judge(rule, &labels, Duration::ZERO);
            }
        }
        self.collectors.get_mut(name).expect("the example has it").evaluations += 1;
    }

    /// The pairs of a collector that there are.
    fn of(&self, name: &str) -> Vec<(usize, Labels)> {
        let is_of = |rule: usize| self.collector(rule).is_some_and(|collector| collector == name);
        self.pairs.keys().filter(|(rule, _)| is_of(*rule)).cloned().collect()
    }

    fn collector(&self, rule: usize) -> Option<&'static str> {
        let series = self.rules.rules()[rule].series.as_deref()?;
        self.rules.catalogue().series.iter().find(|it| it.name == series).map(|series| series.collector)
    }

    fn happens(&mut self, measured: &Measured, is_between: bool) {
        let Measured { series, labels, reading } = measured;
        let of = self.rules.catalogue().series.iter().find(|it| it.name == *series).expect("it is known");
        let collector = self.collectors.get_mut(of.collector).expect("it is known");
        let is_missing = match reading {
            Reading::Value(value) => value.is_nan(),
            Reading::Missing(_) => true,
            Reading::Idle(_) | Reading::Gone => false,
        };
        let fact = (*series, labels.clone());
        if is_missing {
            collector.missing.entry(fact).or_insert(collector.evaluations);
        } else {
            collector.missing.remove(&fact);
        }
        let about = |rule: &RuleSpec| rule.series.as_deref() == Some(series);
        let rules = self.rules.rules().iter().enumerate().filter(|(_, rule)| about(rule));
        for rule in rules.map(|(place, _)| place).collect::<Vec<_>>() {
            self.see(rule, labels, reading, is_between);
        }
    }

    fn see(&mut self, rule: usize, labels: &Labels, reading: &Reading, is_between: bool) {
        let spec = self.rules.rules()[rule].clone();
        let observed = self.collector(rule).map_or(self.now, |name| self.collectors[name].observed);
        let interval = self.collector(rule).map_or(Duration::ZERO, |name| self.collectors[name].interval);
        let ahead = if is_between { interval } else { Duration::ZERO };
        let pair = self.pairs.entry((rule, labels.clone())).or_default();
        pair.restored = false;
        if pair.value.is_none() || reading.value().is_none() {
            let of_new = if reading.value().is_some() { ahead } else { Duration::ZERO };
            (pair.base.ahead, pair.worse.ahead) = (of_new, of_new);
        }
        pair.value = reading.value();
        if let (Some(total), Condition::Rate { .. }) = (pair.value, spec.condition) {
            let growth = if total >= pair.total { total - pair.total } else { total };
            pair.growth.push((observed, growth));
            pair.total = total;
        }
        match reading {
            Reading::Gone => {
                if pair.base.phase.fires() {
                    self.turns.push(said(&spec, labels, Turn::Resolved(Ending::Gone)));
                } else if pair.base.phase == Phase::Pending {
                    self.turns.push(said(&spec, labels, Turn::Cancelled));
                }
                *pair = Pair::default();
            }
            _ if pair.value.is_some() => self.judge(rule, labels, ahead),
            _ => {}
        }
    }

    fn judge(&mut self, rule: usize, labels: &Labels, ahead: Duration) {
        let spec = self.rules.rules()[rule].clone();
        let observed = self.collector(rule).map_or(self.now, |name| self.collectors[name].observed);
        let pair = self.pairs.get_mut(&(rule, labels.clone())).expect("it was seen");
        let mut value = pair.value.expect("it has one");
        if let Condition::Rate { window, .. } = spec.condition {
            pair.growth.retain(|(at, _)| *at + window > observed);
            value = pair.growth.iter().map(|(_, growth)| growth).sum();
        }
        let (side, limit) = spec.condition.limit();
        let (was, fired) = (pair.worse.phase.fires(), pair.base.phase.fires());
        let turns = pair.base.sees(&spec, side, limit, value, ahead);
        if let Some(worse) = spec.condition.worse() {
            pair.worse.sees(&spec, side, worse.limit, value, ahead);
        }
        if pair.base.phase == Phase::Inactive {
            pair.worse = Level::default();
        }
        let is_other = fired && pair.base.phase.fires() && was != pair.worse.phase.fires();
        let severity = is_other.then_some(Turn::Severity);
        self.turns.extend(turns.into_iter().chain(severity).map(|turn| said(&spec, labels, turn)));
    }

    fn look(&mut self) {
        let gap = self.now.saturating_sub(self.looked);
        self.looked = self.now;
        let mut missed = Vec::new();
        for (name, collector) in &mut self.collectors {
            let since = collector.last.map_or(gap, |last| gap.min(self.now.saturating_sub(last)));
            collector.silent += since.min(collector.interval);
            let silent = collector.silent.as_secs() / collector.interval.as_secs();
            let longest = collector.missing.values().map(|since| collector.evaluations - since).max();
            let most = silent.max(longest.unwrap_or(0).into());
            let is_known = most > 0 || collector.evaluations > 0;
            missed.push((*name, is_known.then_some(most)));
        }
        let is_absence = |rule: &RuleSpec| matches!(rule.condition, Condition::Absence { .. });
        let rule = self.rules.rules().iter().position(is_absence).expect("the example has one");
        for (name, missed) in missed {
            let reading =
                missed.map_or(Reading::Idle("restarted".into()), |missed| Reading::Value(missed as f64));
            self.see(rule, &labels(&format!("collector={name}")), &reading, false);
        }
    }
}

impl Level {
    fn passes(&mut self, time: Duration) {
        if matches!(self.phase, Phase::Pending | Phase::Recovering) {
            let before = self.ahead.min(time);
            self.ahead = self.ahead.saturating_sub(before);
            self.held += time.saturating_sub(before);
        }
    }

    fn sees(
        &mut self,
        rule: &RuleSpec,
        side: Side,
        limit: Limit,
        value: f64,
        ahead: Duration,
    ) -> Option<Turn> {
        let (is_bad, is_good) = match side {
            Side::Above => (value >= limit.enter, value < limit.exit),
            Side::Below => (value <= limit.enter, value > limit.exit),
        };
        let before = self.phase;
        match before {
            Phase::Inactive if is_bad => *self = Self { phase: Phase::Pending, held: Duration::ZERO, ahead },
            Phase::Pending if !is_bad => *self = Self::default(),
            Phase::Firing if is_good => {
                *self = Self { phase: Phase::Recovering, held: Duration::ZERO, ahead }
            }
            Phase::Recovering if !is_good => *self = Self { phase: Phase::Firing, ..Self::default() },
            _ => {}
        }
        if self.phase == Phase::Pending && self.held >= rule.hold {
            self.phase = Phase::Firing;
        } else if self.phase == Phase::Recovering && self.held >= rule.keep_firing_for {
            *self = Self::default();
        }
        match (before, self.phase) {
            (before, after) if before == after => None,
            (Phase::Recovering, Phase::Firing) => Some(Turn::Relapsed),
            (_, Phase::Firing) => Some(Turn::Fired),
            (_, Phase::Pending) => Some(Turn::Pending),
            (_, Phase::Recovering) => Some(Turn::Recovering),
            (Phase::Pending, Phase::Inactive) => Some(Turn::Cancelled),
            (_, Phase::Inactive) => Some(Turn::Resolved(Ending::Recovered)),
        }
    }
}

fn said(rule: &RuleSpec, labels: &Labels, turn: Turn) -> String {
    format!("{}{{{labels}}} {turn:?}", rule.name)
}
