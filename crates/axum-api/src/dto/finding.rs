//! Findings, a part of every model of health.

use serde::Serialize;
use ttm_health::{Finding, Findings, Limit, Unit};

/// One thing that is not healthy, as data; `alerts` and `reasons` have the same sentences.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FindingDto {
    /// What kind of thing, as `disk` or `store_down`: the name of the alert rule about the same thing, where there is one.
    pub kind: &'static str,
    /// What it is about: a group, a lane, a part, a breaker, a source or a use of a store. Null if it is about the process, or there is
    /// only one.
    pub subject: Option<String>,
    /// What it makes of the model that it is in.
    pub status: &'static str,
    /// The figure that it is about; null if there is none, or it is not measured.
    pub value: Option<f64>,
    /// The limit that the figure has reached; null if it has none.
    pub limit: Option<LimitDto>,
    /// The unit of both: `percent`, `seconds`, `tokens` or `requests`; null without a figure.
    pub unit: Option<&'static str>,
    /// All of it in words.
    pub sentence: String,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LimitDto {
    /// The first value beyond it.
    pub enter: f64,
    /// A value below this one clears it.
    pub exit: f64,
}

/// The findings, the worst first.
pub(super) fn findings(findings: &Findings) -> Vec<FindingDto> {
    findings.0.iter().map(FindingDto::from).collect()
}

/// Their sentences.
pub(super) fn sentences(findings: &Findings) -> Vec<String> {
    findings.0.iter().map(|finding| finding.sentence.clone()).collect()
}

impl From<&Finding> for FindingDto {
    fn from(finding: &Finding) -> Self {
        let Finding { kind, subject, status, value, limit, unit, sentence } = finding;
        Self {
            kind: kind.as_str(),
            subject: subject.clone(),
            status: status.as_str(),
            value: *value,
            limit: limit.map(|Limit { enter, exit }| LimitDto { enter, exit }),
            unit: unit.map(Unit::as_str),
            sentence: sentence.clone(),
        }
    }
}
