//! What a store keeps of an alert and of the messages about it, as plain data.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use ttm_kernel::{Severity, StoreError};

use crate::{
    AlertKey, ChannelId, Ending, Episode, OutboxRow, Outcome, Quiet, QuietId, Receipt, RowKey, Said,
    SavedAlert,
};

/// Everything about one alert that the next process needs.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRecord {
    /// Which alert.
    pub key: AlertKey,
    /// Its life; `None` if it is inactive.
    pub life: Option<SavedAlert>,
    /// When it began or ended to fire within the last hour, the oldest first.
    pub changes: Vec<Timestamp>,
    /// Whether it keeps changing, and has not settled.
    pub is_flapping: bool,
    /// The episode that fires, and those whose end is not told everywhere.
    pub cases: Vec<Case>,
}

/// One episode, and who knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Which episode.
    pub episode: Episode,
    /// How severe it is, or was.
    pub severity: Severity,
    /// It is no less severe than the worst of its consequences was.
    pub least: Severity,
    /// The last value that was measured.
    pub value: Option<f64>,
    /// When and why it ended, if it did.
    pub ended: Option<(Timestamp, Ending)>,
    /// Who has acknowledged it.
    pub ack: Option<Ack>,
    /// Since when nothing has kept it from being told; escalation counts from here.
    pub opened: Option<Timestamp>,
    /// The step of the escalation that was taken last.
    pub step: u8,
    /// Whether it is the one to tell of that the alert is flapping.
    pub is_notice: bool,
    /// What each channel knows.
    pub told: Vec<Told>,
}

/// An operator has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// How severe it was then: more severity is new.
    pub severity: Severity,
}

/// What one channel knows of an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The channel.
    pub channel: ChannelId,
    /// What it was told last; `None` before the first message.
    pub said: Option<Said>,
    /// What it refused to be told since.
    pub refused: Option<Said>,
    /// When either was.
    pub at: Option<Timestamp>,
    /// Whether the channel took any message about it.
    pub is_delivered: bool,
    /// Whether the time to tell it has come.
    pub is_due: bool,
    /// Whether it is told only since a person ordered that: what it is told then, and the end of that.
    pub is_once: bool,
    /// How many messages it was the first alert of.
    pub messages: u32,
    /// What the channel called the last message about it.
    pub remote_id: Option<Arc<str>>,
}

/// A message that is never delivered, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The message.
    pub row: OutboxRow,
    /// Why the channel refused it.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// What is stored in one go: the states of alerts, and the messages that follow from them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// States that replace what is stored of the same alerts.
    pub records: Vec<AlertRecord>,
    /// Alerts of which nothing is kept.
    pub forgotten: Vec<AlertKey>,
    /// Messages that wait, or wait on after an attempt.
    pub rows: Vec<OutboxRow>,
    /// Messages that do not wait any more: delivered, or replaced before anybody had them.
    pub settled: Vec<RowKey>,
    /// Messages that were refused, and do not wait any more either.
    pub dead: Vec<DeadLetter>,
    /// What became of attempts.
    pub receipts: Vec<Receipt>,
    /// Silences and maintenance windows that are new.
    pub quiets: Vec<(QuietId, Quiet)>,
    /// Those that an operator has ended, or that are over.
    pub ended_quiets: Vec<QuietId>,
}

impl Commit {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a process begins with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// The state of every alert of which one is kept, ordered by their keys.
    pub records: Vec<AlertRecord>,
    /// The messages that wait, ordered by their keys.
    pub rows: Vec<OutboxRow>,
    /// The silences and maintenance windows that no one has ended, ordered by their ids.
    pub quiets: Vec<(QuietId, Quiet)>,
    /// The newest receipts, the oldest of them first.
    pub receipts: Vec<Receipt>,
    /// What was sent from memory while the store was away, from the journal beside it, in that order; a store has none.
    pub journal: Vec<Journalled>,
    /// What is wrong with the rows that could not be read, which are left as they are.
    pub unreadable: Vec<String>,
}

/// What of these rows can be read; what is wrong with the others is added to `unreadable`. One of them does not keep a process from
/// knowing the rest.
pub fn readable<T, E>(
    rows: impl IntoIterator<Item = Result<T, E>>,
    wrong: fn(E) -> StoreError,
    unreadable: &mut Vec<String>,
) -> Vec<T> {
    let mut read = Vec::new();
    for row in rows {
        match row {
            Ok(row) => read.push(row),
            Err(error) => unreadable.push(wrong(error).said()),
        }
    }
    read
}

/// A message that was sent from memory, as the journal beside the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Journalled {
    /// The message, written before it was sent.
    pub row: OutboxRow,
    /// What became of it, written once that was known.
    pub outcome: Option<Outcome>,
}

/// What the journal beside the store has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journal {
    /// What was sent from memory, each attempt once, in the order in which they began.
    pub sent: Vec<Journalled>,
    /// How many more were being written when a process was killed, and are lost.
    pub torn: usize,
}

impl Journal {
    /// What was appended, and how many more are lost. What became of an attempt takes the place of the attempt.
    pub fn of(appended: impl IntoIterator<Item = Journalled>, torn: usize) -> Self {
        let mut places = BTreeMap::new();
        let mut sent: Vec<Journalled> = Vec::new();
        for next in appended {
            let place = *places.entry((next.row.key.clone(), next.row.attempts)).or_insert(sent.len());
            match sent.get_mut(place) {
                Some(known) => *known = next,
                None => sent.push(next),
            }
        }
        Self { sent, torn }
    }
}
