//! Models of the rules.

use std::time::Duration;

use serde::Serialize;
use ttm_alert::{Condition, RuleSpec, Side, Unit};

/// `/api/v1/alerts/rules`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RulesDto {
    /// The rules that are in force.
    pub rules: Vec<RuleDto>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleDto {
    /// Its name.
    pub name: String,
    /// The series that it is about; null for one about missing data.
    pub series: Option<String>,
    /// What its values are measured in: `percent`, `seconds`, `count` or `flag`; null if that is not known.
    pub unit: Option<&'static str>,
    /// What makes it fire: a value `above` or `below` a limit, a `rate` of growth, an `absence` of data, or an `event`.
    pub condition: &'static str,
    /// The first bad value; the number of evaluations for an absence; null for an event.
    pub enter: Option<f64>,
    /// The last value that is not good yet; null for an event and an absence.
    pub exit: Option<f64>,
    /// Within which time a rate is counted; null for others.
    pub window_seconds: Option<f64>,
    /// The level beyond; null if it has none.
    pub worse: Option<WorseDto>,
    /// How long that is observed before it fires: `for` in a config.
    pub for_seconds: f64,
    /// How long the opposite is observed before it is resolved.
    pub keep_firing_for_seconds: f64,
    /// How severe it is.
    pub severity: &'static str,
    /// The rules that it is a consequence of.
    pub inhibited_by: Vec<String>,
}

/// A level at which the same alert is more severe.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorseDto {
    /// The first value of it.
    pub enter: f64,
    /// The last value that does not leave it yet.
    pub exit: f64,
    /// How severe it is there.
    pub severity: &'static str,
}

impl RuleDto {
    /// A rule whose values are measured in this unit.
    pub(crate) fn new(rule: RuleSpec, unit: Option<Unit>) -> Self {
        let (side, limit) = rule.condition.limit();
        let (condition, window) = match (rule.condition, side) {
            (Condition::Threshold { .. }, Side::Above) => ("above", None),
            (Condition::Threshold { .. }, Side::Below) => ("below", None),
            (Condition::Rate { window, .. }, _) => ("rate", Some(window)),
            (Condition::Absence { .. }, _) => ("absence", None),
            (Condition::Event, _) => ("event", None),
        };
        let worse = rule.condition.worse().map(|worse| WorseDto {
            enter: worse.limit.enter,
            exit: worse.limit.exit,
            severity: worse.severity.as_str(),
        });
        Self {
            unit: unit.map(Unit::as_str),
            condition,
            enter: (rule.condition != Condition::Event).then_some(limit.enter),
            exit: matches!(condition, "above" | "below" | "rate").then_some(limit.exit),
            window_seconds: window.map(|window: Duration| window.as_secs_f64()),
            worse,
            for_seconds: rule.hold.as_secs_f64(),
            keep_firing_for_seconds: rule.keep_firing_for.as_secs_f64(),
            severity: rule.severity.as_str(),
            name: rule.name,
            series: rule.series,
            inhibited_by: rule.inhibited_by,
        }
    }
}
