//! The sections `[alerts.rules.NAME]`: the name of a rule that is on without any config overrides what it says, and any other
//! name adds a rule about a series.

use std::collections::BTreeSet;
use std::time::Duration;

use ttm_alert::defaults::{self, SERIES};
use ttm_alert::{Condition, Fault, InvalidRule, Limit, RuleSet, RuleSpec, SeriesKind, Side, Worse};
use ttm_kernel::Severity;

use crate::config::Origin;
use crate::config::settings::reader::{Reader, Reported};
use crate::config::suggest::did_you_mean;

const SECTION: &str = "alerts.rules";

/// The keys that every rule has.
const COMMON: [&str; 5] = ["enabled", "for", "keep_firing_for", "severity", "inhibited_by"];
/// What a rule of one's own says where its section says nothing: these, and the severity of a warning.
const WINDOW: Duration = Duration::from_mins(5);
const KEEP_FIRING_FOR: Duration = Duration::from_mins(5);

/// The rules that are on without any config.
pub(super) fn default_rules(health: Duration, resources: Duration) -> RuleSet {
    RuleSet::try_new(defaults::rules(), defaults::catalogue(health, resources))
        .expect("the rules that are on without any config are valid")
}

impl Reader<'_> {
    /// All rules that are on, evaluated at these intervals. `None` where one is wrong.
    pub(super) fn rules(&mut self, health: Duration, resources: Duration) -> Option<RuleSet> {
        let errors = self.errors.len();
        let mut rules = defaults::rules();
        // Those that are off, and those that are wrong: what names them as a cause is right all the same.
        let mut left_out = BTreeSet::new();
        for (name, origin) in self.values.chosen(SECTION) {
            let default = rules.iter().position(|rule| rule.name == name);
            let read = match default {
                Some(place) => self.overridden(&rules[place]),
                None => self.added(name, origin),
            };
            let is_on = self.parsed::<bool>(&format!("{SECTION}.{name}.enabled"));
            match (read, default) {
                (Some(rule), _) if is_on == Some(true) => match default {
                    Some(place) => rules[place] = rule,
                    None => rules.push(rule),
                },
                _ => {
                    left_out.insert(name);
                }
            }
        }
        rules.retain(|rule| !left_out.contains(&*rule.name));
        for rule in &mut rules {
            rule.inhibited_by.retain(|name| !left_out.contains(&**name));
        }
        match RuleSet::try_new(rules, defaults::catalogue(health, resources)) {
            Ok(set) => (self.errors.len() == errors).then_some(set),
            Err(invalid) => {
                for wrong in &invalid {
                    self.refuse_rule(wrong);
                }
                None
            }
        }
    }

    /// Whether a rule has this name, be it on or off.
    pub(super) fn is_rule(&self, name: &str) -> bool {
        self.rule_names().contains(&name)
    }

    /// The names of all rules.
    pub(super) fn rule_names(&self) -> Vec<&str> {
        let defaults = defaults::RULES.iter().map(|rule| rule.name);
        let added = self.values.chosen(SECTION).into_iter().map(|(name, _)| name);
        defaults.chain(added).collect()
    }

    /// The series that a rule is about, be it on or off; `None` if it is about absence.
    pub(super) fn series_of(&self, rule: &str) -> Option<String> {
        match defaults::RULES.iter().find(|default| default.name == rule) {
            Some(default) => default.series.map(str::to_owned),
            None => Some(self.text(&format!("{SECTION}.{rule}.series"))),
        }
    }

    /// A rule that is on without any config, with what the section of its name says.
    fn overridden(&mut self, default: &RuleSpec) -> Option<RuleSpec> {
        let section = format!("{SECTION}.{}", default.name);
        let keys: &[&str] = match default.condition {
            Condition::Threshold { .. } => &["enter", "exit", "worse.enter", "worse.exit", "worse.severity"],
            Condition::Rate { .. } => &["enter", "exit", "window"],
            Condition::Absence { .. } => &["evaluations"],
            Condition::Event => &[],
        };
        let fits = self.has_keys(&section, keys);
        let condition = match default.condition {
            Condition::Threshold { side, limit, worse } => {
                let limit = self.limit(&section, Some(limit));
                let worse = self.worse(&section, worse);
                limit.zip(worse.ok()).map(|(limit, worse)| Condition::Threshold { side, limit, worse })
            }
            Condition::Rate { window, limit } => {
                let limit = self.limit(&section, Some(limit));
                let window = self.period(&section, "window", window);
                limit.zip(window).map(|(limit, window)| Condition::Rate { window, limit })
            }
            Condition::Absence { evaluations } => {
                let read = self.if_set(&format!("{section}.evaluations"), evaluations, Self::integer);
                read.map(|evaluations| Condition::Absence { evaluations })
            }
            Condition::Event => Some(Condition::Event),
        };
        let rule = self.rule(&section, default.clone(), condition);
        rule.filter(|_| fits)
    }

    /// A rule of the config's own.
    fn added(&mut self, name: &str, origin: Origin) -> Option<RuleSpec> {
        let section = format!("{SECTION}.{name}");
        let named = format!("{section}.series");
        if !self.is_set(&named) && self.is_told(&named) {
            return None;
        }
        if !self.is_set(&named) {
            let near = did_you_mean(name, defaults::RULES.iter().map(|rule| rule.name));
            let message = format!(
                "{section} has no series, and no rule that is on without any config has this name{near}"
            );
            self.refuse(origin, message);
            return None;
        }
        let series = self.text(&named);
        let Some(kind) = SERIES.iter().find(|known| known.name == series).map(|known| known.kind) else {
            let near = did_you_mean(&series, SERIES.iter().map(|known| known.name));
            let message = format!("{named} is {series:?}, and there is no such series{near}");
            self.refuse(self.place(&named), message);
            return None;
        };
        let keys: &[&str] = match kind {
            SeriesKind::Gauge => {
                &["series", "enter", "exit", "side", "worse.enter", "worse.exit", "worse.severity"]
            }
            SeriesKind::Counter => &["series", "enter", "exit", "window"],
            SeriesKind::Event => &["series"],
        };
        let fits = self.has_keys(&section, keys);
        let condition = match kind {
            SeriesKind::Gauge => {
                let side = self.read(&format!("{section}.side"), |text| match text {
                    "above" => Some(Side::Above),
                    "below" => Some(Side::Below),
                    _ => None,
                });
                let (limit, worse) = (self.limit(&section, None), self.worse(&section, None));
                let read = side.zip(limit).zip(worse.ok());
                read.map(|((side, limit), worse)| Condition::Threshold { side, limit, worse })
            }
            SeriesKind::Counter => {
                let (limit, window) = (self.limit(&section, None), self.period(&section, "window", WINDOW));
                limit.zip(window).map(|(limit, window)| Condition::Rate { window, limit })
            }
            SeriesKind::Event => Some(Condition::Event),
        };
        let rule = RuleSpec {
            name: name.to_owned(),
            series: Some(series),
            condition: Condition::Event,
            hold: Duration::ZERO,
            keep_firing_for: KEEP_FIRING_FOR,
            severity: Severity::Warning,
            inhibited_by: Vec::new(),
        };
        self.rule(&section, rule, condition).filter(|_| fits)
    }

    /// A rule with this condition, and with what its section says of all else.
    fn rule(&mut self, section: &str, rule: RuleSpec, condition: Option<Condition>) -> Option<RuleSpec> {
        let hold = self.period(section, "for", rule.hold);
        let keep_firing_for = self.period(section, "keep_firing_for", rule.keep_firing_for);
        let severity = self.severity_or(&format!("{section}.severity"), rule.severity);
        let causes = format!("{section}.inhibited_by");
        // A list that is empty is one that was set.
        let is_set = self.values.get(&causes).is_some();
        let inhibited_by = if is_set { self.list(&causes) } else { rule.inhibited_by };
        Some(RuleSpec {
            condition: condition?,
            // Reported, and nothing else depends on them.
            hold: hold.unwrap_or(rule.hold),
            keep_firing_for: keep_firing_for.unwrap_or(rule.keep_firing_for),
            severity: severity?,
            inhibited_by,
            ..rule
        })
    }

    /// The limit of a section; without `exit` it is left where it is entered, and what the section does not say is as before.
    fn limit(&mut self, section: &str, before: Option<Limit>) -> Option<Limit> {
        let (enter_key, exit_key) = (format!("{section}.enter"), format!("{section}.exit"));
        let number = |reader: &mut Self, name: &str| reader.parsed::<f64>(name).map(Some);
        let enter = self.if_set(&enter_key, before.map(|before| before.enter), number);
        let exit = self.if_set(&exit_key, before.map(|before| before.exit), number);
        let (enter, exit) = (enter?, exit?);
        let Some(enter) = enter else {
            if self.is_told(&enter_key) {
                return None;
            }
            let set = self.values.keys_in(section).next().map(|key| format!("{section}.{key}"));
            let origin = set.map_or(Origin::Default, |set| self.place(&set));
            self.refuse(origin, format!("{enter_key} is not set, expected a number"));
            return None;
        };
        Some(Limit { enter, exit: exit.unwrap_or(enter) })
    }

    fn worse(&mut self, section: &str, before: Option<Worse>) -> Result<Option<Worse>, Reported> {
        let section = format!("{section}.worse");
        if before.is_none() && self.values.keys_in(&section).next().is_none() {
            return Ok(None);
        }
        let limit = self.limit(&section, before.map(|worse| worse.limit));
        let severity = before.map_or(Severity::Critical, |worse| worse.severity);
        let severity = self.severity_or(&format!("{section}.severity"), severity);
        let worse = limit.zip(severity).map(|(limit, severity)| Worse { limit, severity });
        worse.map(Some).ok_or(Reported)
    }

    fn period(&mut self, section: &str, key: &str, default: Duration) -> Option<Duration> {
        self.if_set(&format!("{section}.{key}"), default, Self::duration)
    }

    fn severity_or(&mut self, name: &str, default: Severity) -> Option<Severity> {
        self.if_set(name, default, Self::severity)
    }

    /// A severity, in letters of any case.
    pub(super) fn severity(&mut self, name: &str) -> Option<Severity> {
        self.read(name, |text| Severity::parse(&text.to_uppercase()))
    }

    /// Whether nothing is set that this rule has no use for.
    fn has_keys(&mut self, section: &str, keys: &[&str]) -> bool {
        let is_known = |set: &&str| keys.contains(set) || COMMON.contains(set);
        let unknown: Vec<String> = self
            .values
            .keys_in(section)
            .filter(|set| !is_known(set))
            .map(|set| format!("{section}.{set}"))
            .collect();
        let known = [keys, &COMMON].concat().join(", ");
        for name in &unknown {
            self.refuse(
                self.place(name),
                format!("{name} has no meaning for this rule, expected one of {known}"),
            );
        }
        unknown.is_empty()
    }

    /// Reports what is wrong with a rule, where the first of what may be the reason was set.
    fn refuse_rule(&mut self, wrong: &InvalidRule) {
        let InvalidRule { rule, key, fault } = wrong;
        let reasons: &[&str] = match *key {
            "exit" => &["exit", "enter"],
            "worse" => &["worse.enter", "worse.exit", "worse.severity", "enter", "exit", "severity"],
            key => &[key],
        };
        let of_rule =
            |rule: &str| reasons.iter().map(move |key| format!("{SECTION}.{rule}.{key}")).collect::<Vec<_>>();
        let candidates = match fault {
            Fault::Circle { names } => names.iter().flat_map(|name| of_rule(name)).collect(),
            _ => of_rule(rule),
        };
        let found = candidates.iter().map(|name| self.place(name)).find(|origin| *origin != Origin::Default);
        let near = match fault {
            Fault::UnknownRule { name } => did_you_mean(name, self.rule_names()),
            _ => String::new(),
        };
        self.refuse(found.unwrap_or(Origin::Default), format!("{SECTION}.{rule}.{key}: {fault}{near}"));
    }
}
