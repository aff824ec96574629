//! What the ledger is made of: one entry for each decision, so that any prefix of them tells what was known at that time.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, FailureClass};

/// Tells one entry from every other, in their order: the epoch of the process that made it, and its number in that epoch.
/// The wall clock may go back; this does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey {
    /// The epoch.
    pub epoch: Epoch,
    /// Counts from zero in each epoch.
    pub number: u64,
}

impl EntryKey {
    /// The key that is written like this; `None` if none is.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        let key = Self { epoch: Epoch::new(epoch.parse().ok()?), number: number.parse().ok()? };
        // Not with a sign or leading zeros.
        (key.to_string() == text).then_some(key)
    }
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the ledger.
    pub key: EntryKey,
    /// The entry that began the recovery which this one belongs to: its own key, if it is that one. It may be of an
    /// earlier epoch.
    pub recovery: EntryKey,
    /// When it was made, by the wall clock.
    pub at: Timestamp,
    /// What it is about: the name of a part, [`Entry::PROCESS`] or [`Entry::WORK_PLANE`]. Printable ASCII, 1 to
    /// [`Entry::MAX_SUBJECT`] bytes.
    pub subject: String,
    /// What happened, or what is about to.
    pub fact: Fact,
}

impl Entry {
    /// The subject of what is about the whole process.
    pub const PROCESS: &'static str = "process";
    /// The subject of what is about the runtime of the groups and writers.
    pub const WORK_PLANE: &'static str = "work-plane";
    /// The longest subject, in bytes.
    pub const MAX_SUBJECT: usize = 64;
    /// The longest cause, in bytes.
    pub const MAX_CAUSE: usize = 1_024;
    /// The longest evidence, in bytes.
    pub const MAX_EVIDENCE: usize = 16_384;

    /// Whether a ledger keeps this entry. Texts are bounded and have no NUL, which not every store can hold; a dependency
    /// is bounded like a cause.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), InvalidEntry> {
        let refuse = |what: String| Err(InvalidEntry { key: self.key, what });
        let printable = self.subject.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if !printable || self.subject.is_empty() || self.subject.len() > Self::MAX_SUBJECT {
            return refuse(format!(
                "a subject that is not 1 to {} bytes of printable ASCII",
                Self::MAX_SUBJECT
            ));
        }
        if self.recovery > self.key {
            return refuse(format!("a recovery, {}, that began after it", self.recovery));
        }
        for (what, text, most) in self.fact.texts().into_iter().flatten() {
            if text.len() > most {
                return refuse(format!("{what} of {} bytes, and the longest one has {most}", text.len()));
            }
            if text.contains('\0') {
                return refuse(format!("{what} that contains NUL"));
            }
        }
        Ok(())
    }
}

/// An entry that no ledger keeps, since it breaks a bound of [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry {key} has {what}")]
pub struct InvalidEntry {
    /// Which entry.
    pub key: EntryKey,
    /// What is wrong with it.
    pub what: String,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A process claimed the epoch and began to work.
    Booted,
    /// That process stopped in order. One that has booted and not closed died.
    Closed,
    /// What was spent before this process cannot be known: everything counts as spent for an hour.
    Spent,
    /// A recovery began.
    Began {
        /// What went wrong, in a line for a person.
        cause: String,
        /// Its class. What a person ordered is kept with one, too, which says nothing.
        class: FailureClass,
        /// Who began it.
        by: By,
        /// What was seen of the subject before anything was done to it: its threads, queues and requests in flight.
        evidence: Option<String>,
    },
    /// A step is about to be taken.
    Step {
        /// Which one.
        step: Step,
        /// Whether it is counted against the budget: what has the same root as a step that was, is not.
        charged: bool,
    },
    /// A restart is withheld.
    Withheld {
        /// What went wrong with the subject, in a line for a person.
        cause: String,
        /// What is away, so that a restart would not help.
        dependency: String,
    },
    /// The recovery, or the withholding, is over.
    Ended {
        /// How.
        outcome: Outcome,
        /// Since it began.
        took: Duration,
    },
}

/// Who began a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The service itself.
    Service,
    /// A person.
    Operator,
}

/// A step of the ladder, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Start what has ended.
    Start,
    /// Stop taking up work, wait for what is in flight, start again.
    Graceful,
    /// Abort, take back what was in flight, start again as the next incarnation.
    Emergency,
    /// Build the runtime of the work plane anew, and leave the one before behind.
    RebuildPlane,
    /// End the process, so that what started it starts another one.
    EndProcess,
}

/// How a recovery, or a withholding, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The subject makes progress again.
    Recovered,
    /// The subject failed again before it had made progress: another recovery takes over.
    Failed,
    /// No step is left that may be taken: a person is needed.
    Escalated,
    /// Nothing was done: the subject got on by itself, or what was away is back.
    Withdrawn,
    /// A person ordered a restart before the subject had got on: the recovery of that order takes over.
    Replaced,
    /// The process ended in between.
    Interrupted,
}

impl Fact {
    /// The word for logs and stores.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Booted => "booted",
            Self::Closed => "closed",
            Self::Spent => "spent",
            Self::Began { .. } => "began",
            Self::Step { .. } => "step",
            Self::Withheld { .. } => "withheld",
            Self::Ended { .. } => "ended",
        }
    }

    /// The class of the failure that a recovery began with. None has one that a person ordered: nothing need have failed.
    pub const fn class(&self) -> Option<FailureClass> {
        match self {
            Self::Began { class, by: By::Service, .. } => Some(*class),
            _ => None,
        }
    }

    /// Its texts, each with its name and the most bytes that it may have.
    fn texts(&self) -> [Option<(&'static str, &str, usize)>; 2] {
        match self {
            Self::Booted | Self::Closed | Self::Spent | Self::Step { .. } | Self::Ended { .. } => {
                [None, None]
            }
            Self::Began { cause, evidence, .. } => [
                Some(("a cause", cause, Entry::MAX_CAUSE)),
                evidence.as_deref().map(|evidence| ("evidence", evidence, Entry::MAX_EVIDENCE)),
            ],
            Self::Withheld { cause, dependency } => [
                Some(("a cause", cause, Entry::MAX_CAUSE)),
                Some(("a dependency", dependency, Entry::MAX_CAUSE)),
            ],
        }
    }
}

impl By {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Service, Self::Operator];

    /// The word for logs, stores and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Operator => "operator",
        }
    }

    /// The one with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == word)
    }
}

impl Step {
    /// All of them, the mildest first.
    pub const ALL: [Self; 5] =
        [Self::Start, Self::Graceful, Self::Emergency, Self::RebuildPlane, Self::EndProcess];

    /// The word for logs, stores and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Graceful => "graceful",
            Self::Emergency => "emergency",
            Self::RebuildPlane => "rebuild_plane",
            Self::EndProcess => "end_process",
        }
    }

    /// The step with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == word)
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Recovered, Self::Failed, Self::Escalated, Self::Withdrawn, Self::Replaced, Self::Interrupted];

    /// The word for logs, stores and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Failed => "failed",
            Self::Escalated => "escalated",
            Self::Withdrawn => "withdrawn",
            Self::Replaced => "replaced",
            Self::Interrupted => "interrupted",
        }
    }

    /// The outcome with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// As `12-3`: the third after the first entry of epoch 12.
impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
