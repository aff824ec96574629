//! What is told on a channel, as plain data. `words` makes words of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::Severity;

use crate::{AlertKey, ChannelId, Ending, Episode, EpisodeId, Identity};

/// Why an alert is in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It fires.
    New,
    /// It is more severe than was told.
    MoreSevere,
    /// It is less severe than was told.
    LessSevere,
    /// Nobody has acknowledged it: this step of the escalation tells somebody.
    Escalated,
    /// It still fires.
    Reminder,
    /// It keeps changing: it is told again once it has been the same for a while.
    Flapping,
    /// It has settled, and fires.
    Settled,
    /// It fires no more.
    Resolved,
    /// It fired and was over before the channel could be told.
    Passed,
}

impl News {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::New,
        Self::MoreSevere,
        Self::LessSevere,
        Self::Escalated,
        Self::Reminder,
        Self::Flapping,
        Self::Settled,
        Self::Resolved,
        Self::Passed,
    ];

    /// The word for stores and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::MoreSevere => "more_severe",
            Self::LessSevere => "less_severe",
            Self::Escalated => "escalated",
            Self::Reminder => "reminder",
            Self::Flapping => "flapping",
            Self::Settled => "settled",
            Self::Resolved => "resolved",
            Self::Passed => "passed",
        }
    }

    /// The news with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|news| news.as_str() == word)
    }
}

/// One alert in a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Which alert.
    pub key: AlertKey,
    /// Which episode of it.
    pub episode: Episode,
    /// Why it is in the message.
    pub news: News,
    /// How severe it is, or was.
    pub severity: Severity,
    /// The last value that was measured.
    pub value: Option<f64>,
    /// The limit of its level; `None` for what has none.
    pub limit: Option<f64>,
    /// When and why it ended, if it did.
    pub ended: Option<(Timestamp, Ending)>,
    /// Who has acknowledged it.
    pub acknowledged_by: Option<String>,
}

/// One message. It says the same each time that it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its group: the name of the rule.
    pub group: Arc<str>,
    /// The worst of what fires in it, or of all if nothing does.
    pub severity: Severity,
    /// Whether anything in it fires.
    pub fires: bool,
    /// Its alerts, the worst first: at most [`Message::MOST_ITEMS`].
    pub items: Vec<Item>,
    /// How many more there are.
    pub more_items: usize,
    /// What is a consequence of them and is not told by itself: at most [`Message::MOST_AFFECTED`].
    pub affected: Vec<AlertKey>,
    /// How many more there are, of as many as were looked at.
    pub more_affected: usize,
    /// What the channel called the last message about the first alert, for one that can answer or edit it.
    pub replies_to: Option<Arc<str>>,
    /// When it was made.
    pub at: Timestamp,
}

impl Message {
    /// The most alerts that are listed.
    pub const MOST_ITEMS: usize = 50;
    /// The most consequences that are listed.
    pub const MOST_AFFECTED: usize = 20;
}

/// What tells a message from every other one: its channel, the worst of its alerts, and how many messages there were about that
/// episode on that channel. The next process gives the same message the same key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// The channel.
    pub channel: ChannelId,
    /// The alert.
    pub alert: AlertKey,
    /// Its episode.
    pub episode: EpisodeId,
    /// Counts from one for each episode and channel.
    pub step: u32,
}

impl RowKey {
    /// What a receiver may know a duplicate by, also one that several channels lead to.
    pub fn idempotency_key(&self) -> String {
        let Self { channel, alert, episode, step } = self;
        format!("{}-{episode}-{step}-{channel}", Identity::of(&alert.rule, &alert.labels))
    }
}

/// As `ops: cpu 12-3, 1`.
impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}, {}", self.channel, self.alert, self.episode, self.step)
    }
}

/// What a channel was told of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// That it is over.
    pub is_over: bool,
    /// How severe it is.
    pub severity: Severity,
    /// That it is flapping.
    pub is_flapping: bool,
    /// By which step of the escalation.
    pub step: u8,
}

/// A message that waits to be sent, as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxRow {
    /// Its key.
    pub key: RowKey,
    /// What is sent.
    pub message: Message,
    /// What the channel knows once it is delivered, of each episode, ordered by alert and episode. There may be very many, so
    /// copies share them.
    pub covers: Arc<Vec<(AlertKey, EpisodeId, Said)>>,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when the channel does not take it.
    pub failing_since: Option<Timestamp>,
}

/// A message that is to be sent now.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The message; its attempts count this one.
    pub row: OutboxRow,
    /// From when until now the channel did not take what is told of these alerts.
    pub was_down: Option<(Timestamp, Timestamp)>,
    /// The store has not acknowledged it: it is to be journalled first, where that is possible.
    pub is_unsaved: bool,
}

impl Attempt {
    /// The same about one of its alerts, for a channel that knows nothing of groups. What is a consequence goes with the first.
    #[must_use]
    pub fn alone(&self, item: &Item) -> Self {
        let message = &self.row.message;
        let mut alone = self.clone();
        alone.row.message = Message {
            severity: item.severity,
            fires: item.ended.is_none(),
            items: vec![item.clone()],
            more_items: 0,
            ..message.clone()
        };
        if message.items.first() != Some(item) {
            (alone.row.message.affected, alone.row.message.more_affected) = (Vec::new(), 0);
        }
        alone
    }
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The channel has it.
    Delivered {
        /// What it calls it, if it says so.
        remote_id: Option<Arc<str>>,
    },
    /// It may be taken later: the channel is away, busy, or gave no answer.
    Retry {
        /// Not before that.
        after: Option<Duration>,
        /// What went wrong, without secrets.
        why: String,
    },
    /// It is never taken.
    Refused {
        /// Why, without secrets.
        why: String,
    },
}

impl Outcome {
    /// The same with what every store can hold of its texts.
    pub(crate) fn bounded(&self) -> Self {
        match self {
            Self::Delivered { remote_id } => {
                Self::Delivered { remote_id: remote_id.as_deref().map(|id| bounded(id).into()) }
            }
            Self::Retry { after, why } => Self::Retry { after: *after, why: bounded(why) },
            Self::Refused { why } => Self::Refused { why: bounded(why) },
        }
    }
}

/// What is kept of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// The message.
    pub key: RowKey,
    /// Counts from one.
    pub attempt: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took.
    pub latency: Duration,
    /// When the outcome was known.
    pub at: Timestamp,
}

/// The longest text that is kept of what an operator or a receiver says, in characters.
const MOST_CHARACTERS: usize = 512;

/// What every store can hold of a text that came from outside.
pub(crate) fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;
    use ttm_kernel::Epoch;

    #[test]
    fn a_key_is_the_same_whoever_makes_it() {
        let alert = AlertKey::new("stalled", Labels::parse("group=hot").expect("valid"));
        let episode = EpisodeId { epoch: Epoch::new(12), number: 3 };
        let key = RowKey { channel: ChannelId::new("ops"), alert, episode, step: 1 };
        assert_eq!(key.to_string(), "ops: stalled{group=hot} 12-3, 1");
        assert_eq!(key.idempotency_key(), format!("{}-12-3-1-ops", key.alert.identity()));
        for news in News::ALL {
            assert_eq!(News::parse(news.as_str()), Some(news));
        }
    }

    #[test]
    fn a_text_from_outside_is_bounded_and_has_no_control_characters() {
        assert_eq!(bounded("a\0b\nü"), "abü");
        assert_eq!(bounded(&"ü".repeat(10_240)).chars().count(), 512);
    }
}
