//! Models of silences and maintenance windows, and the bodies that begin one.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Weekday;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use ttm_alert::{Matcher, Quiet, QuietId, When};

use super::alerts::labels;
use crate::object::object;

/// `/api/v1/silences`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SilencesDto {
    /// The silences that nobody has ended and that are not over, by id.
    pub silences: Vec<SilenceDto>,
}

/// A silence: alerts that match are not told, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SilenceDto {
    /// Its id. Silences and maintenance windows are numbered together.
    pub id: u64,
    /// Which alerts.
    #[serde(rename = "match")]
    pub matcher: MatchDto,
    /// From when on.
    pub from: String,
    /// Until when.
    pub until: Option<String>,
    /// Whose it is.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Whether it is in force now.
    pub active: bool,
}

/// `/api/v1/maintenance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MaintenanceDto {
    /// The windows that nobody has ended and that are not over, by id.
    pub maintenance: Vec<WindowOfWeekDto>,
}

/// A maintenance window: alerts that match are not told at some time of some days of each week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WindowOfWeekDto {
    /// Its id. Silences and maintenance windows are numbered together.
    pub id: u64,
    /// Which alerts.
    #[serde(rename = "match")]
    pub matcher: MatchDto,
    /// The time zone of all the times and days below, as `Europe/Berlin`.
    pub zone: String,
    /// On which days it begins: `mon` to `sun`.
    pub days: Vec<&'static str>,
    /// When it begins, as `22:00`.
    pub from: String,
    /// When it ends; on the next day if that is not later.
    pub to: String,
    /// The first day on which it may begin, as `2026-11-29`.
    pub first: String,
    /// The last one.
    pub last: Option<String>,
    /// Whose it is.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Whether it is in force now.
    pub active: bool,
}

/// Which alerts are meant; null matches all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MatchDto {
    /// The rule.
    pub rule: Option<String>,
    /// The severity.
    pub severity: Option<&'static str>,
    /// Labels that the alert must have.
    pub labels: BTreeMap<String, String>,
}

/// The answer to an order that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredDto<T> {
    /// What came of it.
    #[serde(flatten)]
    pub done: T,
    /// Whether it is stored, so that the next process knows of it. If not it goes on being stored.
    pub stored: bool,
}

/// What was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EndedDto {
    /// Its id.
    pub id: u64,
}

/// The body that begins a silence now. One of `until` and `for` is given.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginSilenceDto {
    /// Which alerts.
    #[serde(rename = "match", deserialize_with = "object")]
    pub matcher: MatchingDto,
    /// Until when, as `2026-11-29T16:00:00Z`.
    #[serde(default)]
    pub until: Option<String>,
    /// For how long, as `2h`.
    #[serde(default, rename = "for")]
    pub lasts: Option<String>,
    /// Whose it is.
    #[serde(default)]
    pub author: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// The body that begins a maintenance window; the fields are those of [`WindowOfWeekDto`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "they are those of the answer")]
pub struct BeginMaintenanceDto {
    #[serde(rename = "match", deserialize_with = "object")]
    pub matcher: MatchingDto,
    pub zone: String,
    pub days: Vec<String>,
    pub from: String,
    pub to: String,
    pub first: String,
    #[serde(default)]
    pub last: Option<String>,
    #[serde(default)]
    pub author: String,
    #[serde(default)]
    pub reason: String,
}

/// Which alerts are to be meant: those that match each of `rule`, `severity` and `labels` that is given, of which one must be, or `all`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchingDto {
    /// The rule.
    #[serde(default)]
    pub rule: Option<String>,
    /// The severity, in upper or lower case.
    #[serde(default)]
    pub severity: Option<String>,
    /// Labels that the alert must have.
    #[serde(default)]
    pub labels: Option<PairsDto>,
    /// All alerts: said, since a field that was forgotten must not mean that.
    #[serde(default)]
    pub all: bool,
}

/// The pairs of an object, in its order, so that a name that is there twice is noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairsDto(pub Vec<(String, String)>);

impl<'de> Deserialize<'de> for PairsDto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = PairsDto;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PairsDto, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(PairsDto(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// The days of a week, as they are written.
pub(crate) const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl SilenceDto {
    /// A silence as it is at this time; `None` for a maintenance window.
    pub(crate) fn new(id: QuietId, quiet: &Quiet, now: Timestamp) -> Option<Self> {
        let When::Once { from, until } = quiet.when() else { return None };
        Some(Self {
            id: id.0,
            matcher: quiet.matcher().into(),
            from: from.to_string(),
            until: until.map(|until| until.to_string()),
            author: quiet.author().to_owned(),
            reason: quiet.reason().to_owned(),
            active: quiet.is_on(now),
        })
    }
}

impl WindowOfWeekDto {
    /// A maintenance window as it is at this time; `None` for a silence.
    pub(crate) fn new(id: QuietId, quiet: &Quiet, now: Timestamp) -> Option<Self> {
        let When::Weekly { zone, days, from, to, first, last } = quiet.when() else { return None };
        Some(Self {
            id: id.0,
            matcher: quiet.matcher().into(),
            zone: zone.name().to_owned(),
            days: DAYS.iter().filter(|(_, day)| days.contains(day)).map(|(word, _)| *word).collect(),
            from: from.strftime("%H:%M").to_string(),
            to: to.strftime("%H:%M").to_string(),
            first: first.to_string(),
            last: last.map(|last| last.to_string()),
            author: quiet.author().to_owned(),
            reason: quiet.reason().to_owned(),
            active: quiet.is_on(now),
        })
    }
}

impl From<&Matcher> for MatchDto {
    fn from(Matcher { rule, severity, labels: of }: &Matcher) -> Self {
        Self {
            rule: rule.clone(),
            severity: severity.map(ttm_kernel::Severity::as_str),
            labels: of.as_ref().map(labels).unwrap_or_default(),
        }
    }
}
