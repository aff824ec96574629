//! A set of rules that passed its checks: no rule of it can mean nothing, or wait for itself.

mod invalid;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::rule::{Condition, Limit, RuleSpec, Side};
use crate::series::{Catalogue, SeriesKind};

pub use invalid::{Fault, InvalidRule};

/// The place of a rule in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub(crate) u16);

impl RuleId {
    pub(crate) fn place(self) -> usize {
        self.0.into()
    }
}

/// Rules and the series that they are about, all of which passed their checks.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSet {
    catalogue: Catalogue,
    rules: Vec<RuleSpec>,
    names: Vec<Arc<str>>,
    by_name: BTreeMap<String, RuleId>,
    /// For each rule, the place of the collector of its series.
    collectors: Vec<Option<usize>>,
    /// For each series, the rules about it.
    by_series: Vec<Vec<RuleId>>,
    /// For each rule, the rules that it inhibits.
    inhibits: Vec<Vec<RuleId>>,
    /// For each rule, the rules that inhibit it.
    inhibitors: Vec<Vec<RuleId>>,
}

impl RuleSet {
    /// The most rules.
    pub const MOST: usize = 1_000;

    /// Checks rules against the series that there are.
    ///
    /// # Errors
    /// Everything that is wrong, each with the name of the rule and the key in it.
    pub fn try_new(rules: Vec<RuleSpec>, catalogue: Catalogue) -> Result<Self, Vec<InvalidRule>> {
        let mut invalid = Vec::new();
        let mut by_name = BTreeMap::new();
        for (id, rule) in (0..).map(RuleId).zip(rules.iter().take(Self::MOST)) {
            let faults = faults(rule, &catalogue);
            invalid.extend(faults.into_iter().map(|(key, fault)| InvalidRule::new(rule, key, fault)));
            if by_name.insert(rule.name.clone(), id).is_some() {
                invalid.push(InvalidRule::new(rule, "name", Fault::Twice));
            }
        }
        if let Some(beyond) = rules.get(Self::MOST) {
            invalid.push(InvalidRule::new(beyond, "name", Fault::TooMany));
        }
        let mut inhibitors = vec![Vec::new(); rules.len()];
        for (rule, inhibitors) in rules.iter().zip(&mut inhibitors) {
            for name in &rule.inhibited_by {
                match by_name.get(name) {
                    Some(id) => inhibitors.push(*id),
                    None => invalid.push(InvalidRule::new(
                        rule,
                        "inhibited_by",
                        Fault::UnknownRule { name: name.clone() },
                    )),
                }
            }
        }
        if let Some(circle) = circle(&inhibitors) {
            let names = circle.iter().map(|id| rules[id.place()].name.clone()).collect();
            let rule = &rules[circle[0].place()];
            invalid.push(InvalidRule::new(rule, "inhibited_by", Fault::Circle { names }));
        }
        if !invalid.is_empty() {
            return Err(invalid);
        }
        let mut inhibits = vec![Vec::new(); rules.len()];
        let mut by_series = vec![Vec::new(); catalogue.series.len()];
        for (id, rule) in (0..).map(RuleId).zip(&rules) {
            if let Some(place) = rule.series.as_deref().and_then(|name| catalogue.find(name)) {
                by_series[place].push(id);
            }
            for inhibitor in &inhibitors[id.place()] {
                inhibits[inhibitor.place()].push(id);
            }
        }
        let names = rules.iter().map(|rule| Arc::from(&*rule.name)).collect();
        let collectors = rules.iter().map(|rule| {
            let series = catalogue.find(rule.series.as_deref()?)?;
            catalogue.collector(catalogue.series[series].collector)
        });
        let collectors = collectors.collect();
        Ok(Self { catalogue, rules, names, by_name, collectors, by_series, inhibits, inhibitors })
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[RuleSpec] {
        &self.rules
    }

    /// The series and who measures them.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The rule with this name.
    pub fn find(&self, name: &str) -> Option<RuleId> {
        self.by_name.get(name).copied()
    }

    /// A rule.
    ///
    /// # Panics
    /// If the id is of another set, which is larger.
    pub fn rule(&self, id: RuleId) -> &RuleSpec {
        &self.rules[id.place()]
    }

    /// The name of a rule, shared.
    pub(crate) fn name(&self, id: RuleId) -> Arc<str> {
        Arc::clone(&self.names[id.place()])
    }

    /// The keys of the labels that the alerts of a rule have.
    pub(crate) fn label_keys(&self, id: RuleId) -> &'static [&'static str] {
        let series = self.rule(id).series.as_deref().and_then(|name| self.catalogue.find(name));
        series.map_or(&["collector"], |place| self.catalogue.series[place].labels)
    }

    /// The rules about a series.
    pub(crate) fn about(&self, series: usize) -> &[RuleId] {
        &self.by_series[series]
    }

    /// The rules that are consequences of this one.
    pub(crate) fn inhibited_by(&self, id: RuleId) -> &[RuleId] {
        &self.inhibits[id.place()]
    }

    /// The rules that this one is a consequence of.
    pub(crate) fn inhibitors_of(&self, id: RuleId) -> &[RuleId] {
        &self.inhibitors[id.place()]
    }

    /// The rules about absent data, for each collector.
    pub(crate) fn absences(&self) -> impl Iterator<Item = RuleId> {
        let is_absence = |rule: &RuleSpec| matches!(rule.condition, Condition::Absence { .. });
        (0..).map(RuleId).zip(&self.rules).filter(move |(_, rule)| is_absence(rule)).map(|(id, _)| id)
    }

    /// The place of the collector that measures what a rule is about; `None` for an absence.
    pub(crate) fn collector_of(&self, id: RuleId) -> Option<usize> {
        self.collectors[id.place()]
    }
}

/// What is wrong with a rule by itself, with the key that it is wrong in.
fn faults(rule: &RuleSpec, catalogue: &Catalogue) -> Vec<(&'static str, Fault)> {
    let mut faults = Vec::new();
    let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if rule.name.is_empty() || rule.name.len() > RuleSpec::MAX_NAME || !rule.name.bytes().all(named) {
        faults.push(("name", Fault::Name));
    }
    for (key, period) in [("for", rule.hold), ("keep_firing_for", rule.keep_firing_for)] {
        if period > RuleSpec::MAX_PERIOD {
            faults.push((key, Fault::TooLong));
        }
    }
    faults.extend(series_fault(rule, catalogue).map(|fault| ("series", fault)));
    let (side, limit) = rule.condition.limit();
    faults.extend(limit_fault(side, limit));
    match rule.condition {
        Condition::Rate { window, .. } if window.is_zero() || window > RuleSpec::MAX_PERIOD => {
            faults.push(("window", Fault::Window));
        }
        Condition::Absence { evaluations: 0 } => faults.push(("evaluations", Fault::NoEvaluations)),
        _ => {}
    }
    if matches!(rule.condition, Condition::Rate { limit, .. } if limit.exit <= 0.0) {
        faults.push(("exit", Fault::Endless));
    }
    if let Some(worse) = rule.condition.worse() {
        faults.extend(limit_fault(side, worse.limit).map(|(_, fault)| ("worse", fault)));
        let beyond = |one: f64, other: f64| match side {
            Side::Above => one >= other,
            Side::Below => one <= other,
        };
        let is_finite = |limit: Limit| limit.enter.is_finite() && limit.exit.is_finite();
        let is_beyond = beyond(worse.limit.enter, limit.enter) && beyond(worse.limit.exit, limit.exit);
        // What is no number is beyond nothing, and is told by itself.
        if is_finite(limit) && is_finite(worse.limit) && !is_beyond {
            faults.push(("worse", Fault::NotBeyond));
        }
        if worse.severity <= rule.severity {
            faults.push(("worse", Fault::NotMoreSevere));
        }
    }
    faults
}

fn series_fault(rule: &RuleSpec, catalogue: &Catalogue) -> Option<Fault> {
    let is_absence = matches!(rule.condition, Condition::Absence { .. });
    let Some(name) = rule.series.as_deref() else {
        return (!is_absence).then_some(Fault::NoSeries);
    };
    if is_absence {
        return Some(Fault::SeriesOfAbsence);
    }
    let Some(place) = catalogue.find(name) else {
        return Some(Fault::UnknownSeries { name: name.to_owned() });
    };
    let fits = match rule.condition {
        Condition::Threshold { .. } => SeriesKind::Gauge,
        Condition::Rate { .. } => SeriesKind::Counter,
        Condition::Event | Condition::Absence { .. } => SeriesKind::Event,
    };
    let kind = catalogue.series[place].kind;
    (kind != fits).then_some(Fault::Kind { kind })
}

fn limit_fault(side: Side, limit: Limit) -> Option<(&'static str, Fault)> {
    let Limit { enter, exit } = limit;
    for (key, value) in [("enter", enter), ("exit", exit)] {
        if !value.is_finite() {
            return Some((key, Fault::NotFinite));
        }
    }
    let is_beyond = match side {
        Side::Above => exit > enter,
        Side::Below => exit < enter,
    };
    is_beyond.then_some(("exit", Fault::ExitBeyondEnter { side, enter, exit }))
}

/// Rules that inhibit each other in a circle, the first of them at both ends; one of the circles if there are several.
fn circle(inhibitors: &[Vec<RuleId>]) -> Option<Vec<RuleId>> {
    // Depth first: what was left without a circle is in none.
    let mut left = vec![false; inhibitors.len()];
    for start in 0..inhibitors.len() {
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((at, next)) = path.last_mut() {
            let Some(id) = inhibitors[*at].get(*next).filter(|_| !left[*at]) else {
                left[*at] = true;
                path.pop();
                continue;
            };
            *next += 1;
            let to = id.place();
            if let Some(begin) = path.iter().position(|(on_path, _)| *on_path == to) {
                let ids = path[begin..].iter().map(|(on_path, _)| *on_path).chain([to]);
                return Some(ids.filter_map(|place| u16::try_from(place).ok().map(RuleId)).collect());
            }
            path.push((to, 0));
        }
    }
    None
}

/// For how long a collector may be silent, in its own intervals, before the time between two of its evaluations counts as not
/// observed.
pub(crate) fn longest_step(interval: Duration) -> Duration {
    interval.saturating_mul(3)
}
