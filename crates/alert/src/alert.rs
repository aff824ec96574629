//! What names an alert and one of its episodes, and what becomes of it.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, Severity};

use crate::{Identity, Labels, Phase};

/// Which alert: the name of its rule, and its labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlertKey {
    /// The rule.
    pub rule: Arc<str>,
    /// The labels.
    pub labels: Labels,
}

impl AlertKey {
    /// The alert of this rule with these labels.
    pub fn new(rule: impl Into<Arc<str>>, labels: Labels) -> Self {
        Self { rule: rule.into(), labels }
    }

    /// What tells it from every other one, for those who keep an id.
    pub fn identity(&self) -> Identity {
        Identity::of(&self.rule, &self.labels)
    }
}

impl Ord for AlertKey {
    fn cmp(&self, other: &Self) -> Ordering {
        // Alerts of one rule share its name, and comparing them is most of what an evaluation costs.
        let by_rule =
            if Arc::ptr_eq(&self.rule, &other.rule) { Ordering::Equal } else { self.rule.cmp(&other.rule) };
        by_rule.then_with(|| self.labels.cmp(&other.labels))
    }
}

impl PartialOrd for AlertKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As `group_stalled{group=hot}`.
impl fmt::Display for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rule)?;
        if self.labels == Labels::none() { Ok(()) } else { write!(f, "{{{}}}", self.labels) }
    }
}

/// One time that an alert fires: the epoch of the process in which it began, and its number in that epoch. No two episodes
/// have the same, whatever the clocks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeId {
    /// The epoch.
    pub epoch: Epoch,
    /// Counts from one in each epoch.
    pub number: u64,
}

impl EpisodeId {
    /// The id that is written like this; `None` if none is.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        let id = Self { epoch: Epoch::new(epoch.parse().ok()?), number: number.parse().ok()? };
        // Not with a sign or leading zeros.
        (id.to_string() == text).then_some(id)
    }
}

/// As `12-3`: the third of epoch 12.
impl fmt::Display for EpisodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

/// Why an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What was wrong is well again.
    Recovered,
    /// What was measured does not exist any more.
    Gone,
    /// The rule does not exist any more.
    RuleRemoved,
}

impl Ending {
    /// Every way to end.
    pub const ALL: [Self; 3] = [Self::Recovered, Self::Gone, Self::RuleRemoved];

    /// The word for stores and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Gone => "gone",
            Self::RuleRemoved => "rule_removed",
        }
    }

    /// The ending with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == word)
    }
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its limit was entered.
    Pending,
    /// The limit was left before it fired.
    Cancelled,
    /// It fires: an episode began.
    Fired,
    /// The limit was left, and it fires on until that has lasted.
    Recovering,
    /// The limit was entered again before that had lasted.
    Relapsed,
    /// It fires on, with another severity.
    Severity,
    /// It fires no more: the episode is over.
    Resolved(Ending),
}

/// A change of an alert. Each is to be stored together with the messages that follow from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Which alert.
    pub key: AlertKey,
    /// What became of it.
    pub turn: Turn,
    /// The episode; `None` where it did not fire.
    pub episode: Option<Episode>,
    /// How severe it is, or was.
    pub severity: Severity,
    /// The last value that was measured.
    pub value: Option<f64>,
    /// When, by the wall clock.
    pub at: Timestamp,
}

/// An episode that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Episode {
    /// Its id.
    pub id: EpisodeId,
    /// When it began, by the wall clock.
    pub started: Timestamp,
}

/// What a store keeps of an alert that is not inactive.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedAlert {
    /// Which alert.
    pub key: AlertKey,
    /// Where it is in its life.
    pub phase: Phase,
    /// How much of `for` or `keep_firing_for` was observed.
    pub held: Duration,
    /// Where its worse level is in its life.
    pub worse: Phase,
    /// How much of that was observed.
    pub worse_held: Duration,
    /// The episode, if it fires.
    pub episode: Option<Episode>,
    /// The last value that was measured.
    pub value: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_ids_are_read_back() {
        for ending in Ending::ALL {
            assert_eq!(Ending::parse(ending.as_str()), Some(ending));
        }
        let id = EpisodeId { epoch: Epoch::new(12), number: 3 };
        assert_eq!((id.to_string(), EpisodeId::parse("12-3")), ("12-3".to_owned(), Some(id)));
        for wrong in ["12", "+12-3", "12-03", "12-3-4", ""] {
            assert_eq!(EpisodeId::parse(wrong), None, "{wrong}");
        }
        let key = AlertKey::new("cpu", Labels::none());
        assert_eq!((key.to_string(), key.identity()), ("cpu".to_owned(), Identity::of("cpu", &key.labels)));
        let key = AlertKey::new("stalled", Labels::parse("group=hot").expect("valid"));
        assert_eq!(key.to_string(), "stalled{group=hot}");
    }
}
