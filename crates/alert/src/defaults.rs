//! The rules that are on without any config, as constant data.
//!
#![doc = include_str!("../RULES.md")]

mod labels;

use std::time::Duration;

use ttm_kernel::Severity;

use crate::words::{About, Words};
use crate::{Catalogue, Collector, Condition, Item, Limit, RuleSpec, Series, SeriesKind, Unit};

pub use labels::{ImpossibleLabel, check_labels};

/// A rule that is on without any config.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DefaultRule {
    /// Its name.
    pub name: &'static str,
    /// The series that it is about; `None` for the absence.
    pub series: Option<&'static str>,
    /// What makes it fire.
    pub condition: Condition,
    /// For how long, in seconds.
    pub hold: u64,
    /// How long it fires on, in seconds.
    pub keep: u64,
    /// How severe it is.
    pub severity: Severity,
    /// What it is a consequence of.
    pub inhibited_by: &'static [&'static str],
    /// What it says, in a few words.
    pub meaning: &'static str,
}

/// The names of those who measure.
const HEALTH: &str = "health";
const RESOURCES: &str = "resources";

const fn series(name: &'static str, kind: SeriesKind, unit: Unit, labels: &'static [&'static str]) -> Series {
    Series { name, kind, unit, labels, collector: HEALTH }
}

const fn resource(name: &'static str) -> Series {
    Series { name, kind: SeriesKind::Gauge, unit: Unit::Percent, labels: &[], collector: RESOURCES }
}

const fn event(name: &'static str, labels: &'static [&'static str]) -> Series {
    series(name, SeriesKind::Event, Unit::Flag, labels)
}

const fn counter(name: &'static str, labels: &'static [&'static str]) -> Series {
    series(name, SeriesKind::Counter, Unit::Count, labels)
}

/// Every series that a rule of this service may be about.
pub const SERIES: [Series; 23] = [
    series("group.overdue_seconds", SeriesKind::Gauge, Unit::Seconds, &["group"]),
    series("group.error_percent", SeriesKind::Gauge, Unit::Percent, &["api", "group"]),
    series("group.without_progress_seconds", SeriesKind::Gauge, Unit::Seconds, &["group"]),
    resource("resource.memory_percent"),
    resource("resource.cpu_percent"),
    resource("resource.disk_percent"),
    resource("resource.file_descriptor_percent"),
    series("api.p95_seconds", SeriesKind::Gauge, Unit::Seconds, &["api"]),
    series("api.error_percent", SeriesKind::Gauge, Unit::Percent, &["api"]),
    counter("api.rate_limited", &["api"]),
    counter("api.forbidden", &["api"]),
    event("breaker.open", &["api"]),
    event("recovery.budget_spent", &["part"]),
    event("recovery.withheld", &["part"]),
    series("data.stale_percent", SeriesKind::Gauge, Unit::Percent, &["api", "lane"]),
    event("store.down", &["store"]),
    event("store.corrupt", &["store"]),
    event("credentials.refused", &["by"]),
    counter("samples.lost", &["store"]),
    event("source.failing", &["source"]),
    counter("clock.stepped", &[]),
    event("heartbeat.failing", &[]),
    event("channel.failing", &["channel"]),
];

/// The series, measured at these intervals.
pub fn catalogue(health: Duration, resources: Duration) -> Catalogue {
    let collector = |(name, interval)| Collector { name, interval };
    Catalogue {
        series: SERIES.to_vec(),
        collectors: [(HEALTH, health), (RESOURCES, resources)].map(collector).to_vec(),
    }
}

const fn rate(minutes: u64, enter: f64, exit: f64) -> Condition {
    Condition::Rate { window: Duration::from_mins(minutes), limit: Limit { enter, exit } }
}

const fn rule(
    name: &'static str,
    series: &'static str,
    condition: Condition,
    [hold, keep]: [u64; 2],
    severity: Severity,
    inhibited_by: &'static [&'static str],
    meaning: &'static str,
) -> DefaultRule {
    DefaultRule { name, series: Some(series), condition, hold, keep, severity, inhibited_by, meaning }
}

use Severity::{Critical, Error, Warning};

/// What calls fail for lack of: their own failure is a consequence.
const NO_API: &[&str] = &["breaker_open", "credentials_refused"];
/// What keeps data from becoming newer.
const NO_WORK: &[&str] = &[
    "breaker_open",
    "credentials_refused",
    "processing_stopped",
    "group_not_running",
    "restart_budget_spent",
];
/// What a store cannot do while it is away or damaged.
const NO_STORE: &[&str] = &["store_down", "store_corrupt"];

/// The rules.
#[rustfmt::skip]
pub const RULES: [DefaultRule; 24] = [
    rule("group_not_running", "group.overdue_seconds", Condition::above(60.0, 30.0), [0, 60], Error,
        &["restart_budget_spent"], "a group's next run is more than a minute late"),
    rule("group_errors", "group.error_percent", Condition::above(20.0, 15.0), [60, 300], Error,
        NO_API, "more than a fifth of a group's tokens fail"),
    rule("processing_stopped", "group.without_progress_seconds", Condition::above(300.0, 60.0), [0, 60], Critical,
        &["restart_budget_spent"], "a group has got nothing done for five minutes"),
    rule("memory", "resource.memory_percent", Condition::above_twice([75.0, 70.0], [90.0, 85.0], Critical), [60, 300], Warning,
        &[], "memory runs out"),
    rule("cpu", "resource.cpu_percent", Condition::above_twice([80.0, 75.0], [95.0, 90.0], Critical), [120, 300], Warning,
        &[], "the processor time that the process may use runs out"),
    rule("disk", "resource.disk_percent", Condition::above_twice([80.0, 75.0], [90.0, 85.0], Critical), [0, 300], Warning,
        &[], "the disk of the data fills up"),
    rule("descriptors", "resource.file_descriptor_percent", Condition::above_twice([70.0, 65.0], [90.0, 85.0], Critical), [60, 300], Warning,
        &[], "open descriptors run out"),
    rule("api_slow", "api.p95_seconds", Condition::above_twice([2.0, 1.5], [5.0, 4.0], Error), [120, 300], Warning,
        NO_API, "one of twenty calls takes too long"),
    rule("api_errors", "api.error_percent", Condition::above_twice([10.0, 5.0], [20.0, 15.0], Error), [120, 300], Warning,
        NO_API, "too many calls fail"),
    rule("rate_limited", "api.rate_limited", rate(5, 5.0, 1.0), [0, 300], Warning,
        &[], "the API says that it is asked too often"),
    rule("forbidden_storm", "api.forbidden", rate(10, 8.0, 1.0), [0, 600], Critical,
        &["credentials_refused"], "the API refuses this client again and again"),
    rule("breaker_open", "breaker.open", Condition::Event, [0, 360], Warning,
        &["credentials_refused"], "calls are withheld, since they fail"),
    rule("restart_budget_spent", "recovery.budget_spent", Condition::Event, [0, 120], Critical,
        &[], "a part keeps failing, and is not restarted any more"),
    rule("restart_withheld", "recovery.withheld", Condition::Event, [60, 60], Warning,
        &["breaker_open", "credentials_refused", "store_down", "store_corrupt"], "a part waits for what it depends on"),
    rule("data_stale", "data.stale_percent", Condition::above_twice([10.0, 5.0], [50.0, 40.0], Error), [120, 120], Warning,
        NO_WORK, "scores are older than their lane allows"),
    rule("store_down", "store.down", Condition::Event, [30, 60], Critical,
        &["store_corrupt", "credentials_refused"], "a store does not answer"),
    rule("store_corrupt", "store.corrupt", Condition::Event, [0, 0], Critical,
        &[], "a store is damaged, and is not used any more"),
    rule("credentials_refused", "credentials.refused", Condition::Event, [0, 360], Critical,
        &[], "somebody refuses this service's credentials"),
    rule("samples_lost", "samples.lost", rate(5, 1.0, 1.0), [0, 300], Error,
        NO_STORE, "measurements were given up, since they could not be stored in time"),
    rule("source_failing", "source.failing", Condition::Event, [300, 60], Warning,
        NO_STORE, "a list of tokens cannot be read"),
    rule("clock_stepped", "clock.stepped", rate(10, 1.0, 1.0), [0, 0], Warning,
        &[], "the wall clock was set"),
    rule("dead_man", "heartbeat.failing", Condition::Event, [180, 60], Error,
        &[], "the heartbeat does not arrive, so that nobody would learn of the end of this process"),
    rule("channel_failing", "channel.failing", Condition::Event, [60, 60], Error,
        &[], "a channel takes no messages"),
    DefaultRule {
        name: "collector_stale", series: None, condition: Condition::Absence { evaluations: 3 }, hold: 0, keep: 0,
        severity: Error, inhibited_by: &[], meaning: "nothing is known of what a collector measures",
    },
];

impl DefaultRule {
    /// The rule, as a config would give it.
    pub fn spec(&self) -> RuleSpec {
        RuleSpec {
            name: self.name.to_owned(),
            series: self.series.map(str::to_owned),
            condition: self.condition,
            hold: Duration::from_secs(self.hold),
            keep_firing_for: Duration::from_secs(self.keep),
            severity: self.severity,
            inhibited_by: self.inhibited_by.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// The rules, as a config would give them.
pub fn rules() -> Vec<RuleSpec> {
    RULES.iter().map(DefaultRule::spec).collect()
}

/// What a rule is measured in, be it one of these or another one about their series.
pub fn unit(rule: &RuleSpec) -> Option<Unit> {
    match rule.series.as_deref() {
        Some(name) => SERIES.iter().find(|series| series.name == name).map(|series| series.unit),
        None => Some(Unit::Count),
    }
}

/// Says what the rules here mean, and nothing about others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meanings;

impl Words for Meanings {
    fn about(&self, item: &Item) -> About {
        let rule = RULES.iter().find(|rule| *rule.name == *item.key.rule);
        let series = rule.and_then(|rule| SERIES.iter().find(|series| Some(series.name) == rule.series));
        About {
            meaning: rule.map(|rule| rule.meaning.to_owned()),
            unit: series.map(|series| series.unit),
            ..About::default()
        }
    }
}
