//! An entry in words and numbers, as the columns of a table or the fields of a line keep it.
//!
//! Every ledger reads its rows through [`Record::entry`], so that what is refused as damaged is the same in all of them.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::FailureClass;

use crate::{By, Entry, EntryKey, Fact, InvalidEntry, Outcome, Step};

/// The fields of an [`Entry`]. Which of the optional ones are there depends on the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: EntryKey,
    /// The entry that began the recovery.
    pub recovery: EntryKey,
    /// When it was made.
    pub at: Timestamp,
    /// What it is about.
    pub subject: String,
    /// The word of its fact.
    pub kind: String,
    /// What went wrong.
    pub cause: Option<String>,
    /// The word of the failure's class.
    pub class: Option<String>,
    /// The word of who began it.
    pub by: Option<String>,
    /// What was seen.
    pub evidence: Option<String>,
    /// The word of the step.
    pub step: Option<String>,
    /// Whether the step is counted against the budget.
    pub charged: Option<bool>,
    /// What is away.
    pub dependency: Option<String>,
    /// The word of the outcome.
    pub outcome: Option<String>,
    /// How long it took.
    pub took: Option<Duration>,
}

impl From<&Entry> for Record {
    fn from(entry: &Entry) -> Self {
        let Entry { key, recovery, at, subject, fact } = entry;
        let record = Self {
            key: *key,
            recovery: *recovery,
            at: *at,
            subject: subject.clone(),
            kind: fact.kind().to_owned(),
            cause: None,
            class: None,
            by: None,
            evidence: None,
            step: None,
            charged: None,
            dependency: None,
            outcome: None,
            took: None,
        };
        match fact {
            Fact::Booted | Fact::Closed | Fact::Spent => record,
            Fact::Began { cause, class, by, evidence } => Self {
                cause: Some(cause.clone()),
                class: Some(class.as_str().to_owned()),
                by: Some(by.as_str().to_owned()),
                evidence: evidence.clone(),
                ..record
            },
            Fact::Step { step, charged } => {
                Self { step: Some(step.as_str().to_owned()), charged: Some(*charged), ..record }
            }
            Fact::Withheld { cause, dependency } => {
                Self { cause: Some(cause.clone()), dependency: Some(dependency.clone()), ..record }
            }
            Fact::Ended { outcome, took } => {
                Self { outcome: Some(outcome.as_str().to_owned()), took: Some(*took), ..record }
            }
        }
    }
}

impl Record {
    /// The entry that it was made from.
    ///
    /// # Errors
    /// What is wrong with it, if it was made from none.
    pub fn entry(mut self) -> Result<Entry, InvalidEntry> {
        let fact = self.fact().map_err(|what| InvalidEntry { key: self.key, what })?;
        let Self { key, recovery, at, subject, .. } = self;
        let entry = Entry { key, recovery, at, subject, fact };
        entry.check()?;
        Ok(entry)
    }

    /// Takes out what the kind has; nothing may be left.
    fn fact(&mut self) -> Result<Fact, String> {
        let fact = match &*self.kind {
            "booted" => Fact::Booted,
            "closed" => Fact::Closed,
            "spent" => Fact::Spent,
            "began" => Fact::Began {
                cause: there("cause", self.cause.take())?,
                class: word("class", self.class.take(), FailureClass::parse)?,
                by: word("initiator", self.by.take(), By::parse)?,
                evidence: self.evidence.take(),
            },
            "step" => Fact::Step {
                step: word("step", self.step.take(), Step::parse)?,
                charged: there("charge", self.charged.take())?,
            },
            "withheld" => Fact::Withheld {
                cause: there("cause", self.cause.take())?,
                dependency: there("dependency", self.dependency.take())?,
            },
            "ended" => Fact::Ended {
                outcome: word("outcome", self.outcome.take(), Outcome::parse)?,
                took: there("duration", self.took.take())?,
            },
            kind => return Err(format!("the unknown kind {kind:?}")),
        };
        let left = [
            ("cause", self.cause.is_some()),
            ("class", self.class.is_some()),
            ("initiator", self.by.is_some()),
            ("evidence", self.evidence.is_some()),
            ("step", self.step.is_some()),
            ("charge", self.charged.is_some()),
            ("dependency", self.dependency.is_some()),
            ("outcome", self.outcome.is_some()),
            ("duration", self.took.is_some()),
        ];
        match left.iter().find(|(_, left)| *left) {
            Some((what, _)) => Err(format!("{what}, and is of the kind {:?}, which has none", self.kind)),
            None => Ok(fact),
        }
    }
}

fn there<T>(what: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("no {what}"))
}

fn word<T>(what: &str, word: Option<String>, parse: fn(&str) -> Option<T>) -> Result<T, String> {
    let word = there(what, word)?;
    parse(&word).ok_or_else(|| format!("the unknown {what} {word:?}"))
}
