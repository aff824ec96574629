//! Models of what became of messages.

use std::collections::BTreeMap;

use serde::Serialize;
use ttm_alert::{DeadLetter, Outcome, Receipt};

/// What became of one attempt to send a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceiptDto {
    /// The channel.
    pub channel: String,
    /// The first alert of the message.
    pub alert: MentionDto,
    /// Which message about that episode on that channel; counts from 1.
    pub message: u32,
    /// Which attempt; counts from 1.
    pub attempt: u32,
    /// When the outcome was known.
    pub at: String,
    /// `delivered`, `retry` or `refused`.
    pub outcome: &'static str,
    /// What went wrong, without secrets; null if nothing did.
    pub why: Option<String>,
    /// How long the receiver asked to wait; null if it did not.
    pub retry_after_seconds: Option<f64>,
    /// How long the attempt took.
    pub latency_seconds: f64,
    /// What the channel calls the message, if it says so.
    pub remote_id: Option<String>,
}

/// An alert that a message is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MentionDto {
    /// Its id.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The episode.
    pub episode: String,
}

/// `/api/v1/alerts/dead-letters`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLettersDto {
    /// The last ones, the newest first.
    pub dead_letters: Vec<DeadLetterDto>,
}

/// A message that was refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetterDto {
    /// When it was refused.
    pub at: String,
    /// The channel.
    pub channel: String,
    /// Why, without secrets.
    pub why: String,
    /// How severe the worst alert of the message is.
    pub severity: &'static str,
    /// Whether anything in it fires.
    pub fires: bool,
    /// The alerts that it is about, at most [`DeadLetterDto::MOST_ALERTS`].
    pub alerts: Vec<MentionDto>,
    /// How many more there are.
    pub more_alerts: usize,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was made.
    pub made_at: String,
}

impl DeadLetterDto {
    /// The most alerts that are listed.
    pub const MOST_ALERTS: usize = 50;
}

impl From<&Receipt> for ReceiptDto {
    fn from(Receipt { key, attempt, outcome, latency, at }: &Receipt) -> Self {
        let (word, why, after, remote_id) = match outcome {
            Outcome::Delivered { remote_id } => ("delivered", None, None, remote_id.as_deref()),
            Outcome::Retry { after, why } => ("retry", Some(why), *after, None),
            Outcome::Refused { why } => ("refused", Some(why), None, None),
        };
        Self {
            channel: key.channel.to_string(),
            alert: MentionDto::new(&key.alert, key.episode),
            message: key.step,
            attempt: *attempt,
            at: at.to_string(),
            outcome: word,
            why: why.cloned(),
            retry_after_seconds: after.map(|after| after.as_secs_f64()),
            latency_seconds: latency.as_secs_f64(),
            remote_id: remote_id.map(str::to_owned),
        }
    }
}

impl From<&DeadLetter> for DeadLetterDto {
    fn from(DeadLetter { row, why, at }: &DeadLetter) -> Self {
        let covers = row.covers.iter();
        let alerts: Vec<MentionDto> =
            covers.take(Self::MOST_ALERTS).map(|(key, episode, _)| MentionDto::new(key, *episode)).collect();
        Self {
            at: at.to_string(),
            channel: row.key.channel.to_string(),
            why: why.clone(),
            severity: row.message.severity.as_str(),
            fires: row.message.fires,
            more_alerts: row.covers.len() - alerts.len(),
            alerts,
            attempts: row.attempts,
            made_at: row.message.at.to_string(),
        }
    }
}
