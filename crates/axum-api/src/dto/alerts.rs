//! Models of alerts, of what was told of them, and of the channels.

mod messages;
mod rules;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ttm_alert::{
    Ack, AlertKey, AlertView, ChannelView, Ending, EpisodeId, Hidden, Labels, Phase, Quiet, Said, Told, Unit,
    When,
};

use super::EventDto;

pub use messages::{DeadLetterDto, DeadLettersDto, MentionDto, ReceiptDto};
pub use rules::{RuleDto, RulesDto, WorseDto};

/// `/api/v1/alerts`: a page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertsDto {
    /// The alerts that are not inactive, or whose end is not told everywhere, by rule and labels. With a filter there may be fewer
    /// than `limit`, or none, although there is a next page.
    pub alerts: Vec<AlertDto>,
    /// The opaque `cursor` of the next page; null at the end.
    pub next: Option<String>,
}

/// An alert. What it says of an episode is about the last one of which something is kept; null if there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertDto {
    /// Its id: 32 hexadecimal digits, the same for the same rule and labels in every process.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// `pending`, `firing`, `recovering`, or `resolved` while its end is not told everywhere; `inactive` afterwards, which is not
    /// listed.
    pub state: &'static str,
    /// `INFO`, `WARNING`, `ERROR` or `CRITICAL`.
    pub severity: &'static str,
    /// The last value that was measured.
    pub value: Option<f64>,
    /// The limit of its severity; null for what has none.
    pub limit: Option<f64>,
    /// What both are measured in: `percent`, `seconds`, `count` or `flag`; null if that is not known.
    pub unit: Option<&'static str>,
    /// When the episode began.
    pub started_at: Option<String>,
    /// When it ended; null while it fires.
    pub ended_at: Option<String>,
    /// Why: `recovered`, `gone` or `rule_removed`.
    pub ended_by: Option<&'static str>,
    /// Its id, as `12-3`.
    pub episode: Option<String>,
    /// Who has seen it.
    pub acknowledged: Option<AcknowledgedDto>,
    /// Why nobody is told; null if nothing keeps it from being told.
    pub hidden: Option<HiddenDto>,
    /// What each channel knows of the episode.
    pub told: Vec<ToldDto>,
}

/// Who has seen an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AcknowledgedDto {
    /// Who.
    pub by: String,
    /// When.
    pub at: String,
    /// How severe it was then. If it gets worse, it is told as if nobody had seen it.
    pub severity: &'static str,
}

/// What keeps an alert from being told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HiddenDto {
    /// `silence`, `maintenance`, `consequence`, `flapping` or `recovering`.
    pub by: &'static str,
    /// The same as a sentence.
    pub why: String,
    /// The id of the silence or maintenance window.
    pub silence: Option<u64>,
    /// The id of the alert that it is a consequence of.
    pub cause: Option<String>,
}

/// What a channel knows of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToldDto {
    /// The channel.
    pub channel: String,
    /// What it was told last: `firing`, `flapping` or `resolved`; null if that is still to come.
    pub what: Option<&'static str>,
    /// How severe it was then.
    pub severity: Option<&'static str>,
    /// When that was, or when it refused to be told.
    pub at: Option<String>,
    /// Whether it took any message about it.
    pub delivered: bool,
    /// What it refused to be told since.
    pub refused: Option<&'static str>,
    /// Whether a message to it is due.
    pub due: bool,
}

/// `/api/v1/alerts/{id}`: an alert with its past. What cannot be read now is null, and `problems` says why.
#[derive(Clone, Debug, Serialize)]
pub struct AlertDetailDto {
    /// The alert.
    #[serde(flatten)]
    pub alert: AlertDto,
    /// The attempts to send messages of its rule since the episode began, the newest first. A message may be about many alerts;
    /// its receipts name the first of them.
    pub receipts: Option<Vec<ReceiptDto>>,
    /// The messages about it that were refused for good, the newest first.
    pub dead_letters: Option<Vec<DeadLetterDto>>,
    /// What became of it, the newest first.
    pub timeline: Option<Vec<EventDto>>,
    /// Why something is missing.
    pub problems: Vec<String>,
}

/// The answer to an acknowledgement, which is in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertOrderedDto {
    /// The alert.
    #[serde(flatten)]
    pub alert: AlertDto,
    /// Whether that is stored, so that the next process knows of it. If not it goes on being stored.
    pub stored: bool,
}

/// The answer to an order to tell a channel once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToldAgainDto {
    /// The alert.
    pub id: String,
    /// The channel.
    pub channel: String,
    /// Whether the order is stored.
    pub stored: bool,
}

/// `/api/v1/alerts/channels`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelsDto {
    /// All channels.
    pub channels: Vec<ChannelDto>,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelDto {
    /// Its name.
    pub name: String,
    /// Since when it takes no messages, and why; null if it took the last one, or was sent none.
    pub failing: Option<FailingDto>,
    /// Messages that wait for it.
    pub waiting: usize,
}

/// Why a channel takes no messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailingDto {
    /// Since when.
    pub since: String,
    /// Why, without secrets.
    pub why: String,
}

/// The body of an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeDto {
    /// Who has seen it.
    pub by: String,
}

/// The form of the page of an acknowledge link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeFormDto {
    /// Who has seen it.
    #[serde(default)]
    pub by: String,
}

/// The body of an order to tell a channel once more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TellAgainDto {
    /// The channel.
    pub channel: String,
}

impl AlertDto {
    /// An alert of a rule that is measured in this unit.
    pub(crate) fn new(view: AlertView, unit: Option<Unit>, hidden: Option<HiddenDto>) -> Self {
        let state = state(&view);
        let AlertView { id, record, severity, limit, .. } = view;
        let case = record.cases.last();
        let value = record.life.as_ref().and_then(|life| life.value).or(case.and_then(|case| case.value));
        Self {
            id: id.to_string(),
            rule: record.key.rule.to_string(),
            labels: labels(&record.key.labels),
            state,
            severity: severity.as_str(),
            value,
            limit,
            unit: unit.map(Unit::as_str),
            started_at: case.map(|case| case.episode.started.to_string()),
            ended_at: case.and_then(|case| case.ended).map(|(at, _)| at.to_string()),
            ended_by: case.and_then(|case| case.ended).map(|(_, ending)| Ending::as_str(ending)),
            episode: case.map(|case| case.episode.id.to_string()),
            acknowledged: case.and_then(|case| case.ack.as_ref()).map(AcknowledgedDto::from),
            hidden,
            told: case.map(|case| &case.told).into_iter().flatten().map(ToldDto::from).collect(),
        }
    }
}

/// The states that are listed.
pub(crate) const STATES: [&str; 4] = ["pending", "firing", "recovering", RESOLVED];
const RESOLVED: &str = "resolved";

/// Where an alert is in its life, as the API says it.
pub(crate) fn state(view: &AlertView) -> &'static str {
    match view.record.life.as_ref().map(|life| life.phase) {
        Some(phase @ (Phase::Pending | Phase::Firing | Phase::Recovering)) => phase.as_str(),
        Some(Phase::Inactive) | None if view.record.cases.is_empty() => Phase::Inactive.as_str(),
        Some(Phase::Inactive) | None => RESOLVED,
    }
}

pub(crate) fn labels(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

impl HiddenDto {
    /// Why an alert is hidden; `quiet` finds the silence or window with an id.
    pub(crate) fn new<'a>(hidden: &Hidden, quiet: impl FnOnce(u64) -> Option<&'a Quiet>) -> Self {
        let plain = |by, why: &str| Self { by, why: why.to_owned(), silence: None, cause: None };
        match hidden {
            Hidden::Quiet(id) => {
                let quiet = quiet(id.0);
                let is_weekly = quiet.is_some_and(|it| matches!(it.when(), When::Weekly { .. }));
                let (by, what) = if is_weekly {
                    ("maintenance", "the maintenance window")
                } else {
                    ("silence", "the silence")
                };
                let of = quiet.map(|it| format!(" by {}: {}", it.author(), it.reason())).unwrap_or_default();
                Self { silence: Some(id.0), ..plain(by, &format!("{what} {id}{of}")) }
            }
            Hidden::Consequence(cause) => Self {
                cause: Some(cause.identity().to_string()),
                ..plain(
                    "consequence",
                    &format!("it is a consequence of {cause}, and is listed in that one's message"),
                )
            },
            Hidden::Flapping => plain(
                "flapping",
                "it keeps changing, which has been told; it is told again once it has been the same for five minutes",
            ),
            Hidden::Recovering => {
                plain("recovering", "it was hidden until it was left, and now is over unless that changes")
            }
        }
    }
}

impl From<&Ack> for AcknowledgedDto {
    fn from(Ack { by, at, severity }: &Ack) -> Self {
        Self { by: by.clone(), at: at.to_string(), severity: severity.as_str() }
    }
}

impl From<&Told> for ToldDto {
    fn from(told: &Told) -> Self {
        let word = |said: Said| match said {
            Said { is_over: true, .. } => RESOLVED,
            Said { is_flapping: true, .. } => "flapping",
            Said { .. } => Phase::Firing.as_str(),
        };
        // A channel that took nothing was told nothing, whatever it was to be told.
        let said = told.said.filter(|_| told.is_delivered);
        Self {
            channel: told.channel.to_string(),
            what: said.map(word),
            severity: said.map(|said| said.severity.as_str()),
            at: told.at.map(|at| at.to_string()),
            delivered: told.is_delivered,
            refused: told.refused.map(word),
            due: told.is_due,
        }
    }
}

impl From<Vec<ChannelView>> for ChannelsDto {
    fn from(channels: Vec<ChannelView>) -> Self {
        let channel = |ChannelView { id, failing, waiting }: ChannelView| ChannelDto {
            name: id.to_string(),
            failing: failing.map(|(since, why)| FailingDto { since: since.to_string(), why }),
            waiting,
        };
        Self { channels: channels.into_iter().map(channel).collect() }
    }
}

impl MentionDto {
    pub(crate) fn new(key: &AlertKey, episode: EpisodeId) -> Self {
        Self {
            id: key.identity().to_string(),
            rule: key.rule.to_string(),
            labels: labels(&key.labels),
            episode: episode.to_string(),
        }
    }
}
