//! The ledger as a person reads it: each recovery with its cause, steps, outcome and duration.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::FailureClass;

use crate::{By, Entry, EntryKey, Fact, Outcome, Step};

/// One recovery, or one decision not to begin one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The entry that began it.
    pub id: EntryKey,
    /// What it is about.
    pub subject: String,
    /// When it began.
    pub began: Timestamp,
    /// What went wrong.
    pub cause: String,
    /// Its class; `None` if a restart was withheld, or a person ordered it.
    pub class: Option<FailureClass>,
    /// Who began it.
    pub by: By,
    /// What was away, so that a restart was withheld.
    pub withheld_for: Option<String>,
    /// What was done, in this order.
    pub steps: Vec<Taken>,
    /// How it ended, and how long it took; `None` while it lasts.
    pub ended: Option<(Outcome, Duration)>,
    /// What was seen before anything was done.
    pub evidence: Option<String>,
}

/// A step that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which one.
    pub step: Step,
    /// When.
    pub at: Timestamp,
    /// Whether it was counted against the budget.
    pub charged: bool,
}

/// How many recoveries there were in a time, by what became of them. One may count in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// Those that restarted something.
    pub restarted: u64,
    /// Restarts that were withheld.
    pub withheld: u64,
    /// Those after which a person was needed.
    pub escalated: u64,
}

/// The last recoveries, bounded.
#[derive(Clone, Debug)]
pub struct Recoveries {
    all: VecDeque<Recovery>,
    most: usize,
}

impl Recoveries {
    /// None yet; at most so many are kept.
    pub const fn new(most: usize) -> Self {
        Self { all: VecDeque::new(), most }
    }

    /// Takes an entry into account. What belongs to a recovery that is not known changes nothing.
    pub fn add(&mut self, entry: &Entry) {
        let Entry { key, recovery, at, subject, fact } = entry;
        let begun = |cause: &String| Recovery {
            id: *key,
            subject: subject.clone(),
            began: *at,
            cause: cause.clone(),
            class: None,
            by: By::Service,
            withheld_for: None,
            steps: Vec::new(),
            ended: None,
            evidence: None,
        };
        match fact {
            Fact::Booted | Fact::Closed | Fact::Spent => {}
            Fact::Began { cause, by, evidence, .. } => {
                self.push(Recovery {
                    class: fact.class(),
                    by: *by,
                    evidence: evidence.clone(),
                    ..begun(cause)
                });
            }
            Fact::Withheld { cause, dependency } => {
                self.push(Recovery { withheld_for: Some(dependency.clone()), ..begun(cause) });
            }
            Fact::Step { step, charged } => {
                if let Some(known) = self.find(*recovery) {
                    known.steps.push(Taken { step: *step, at: *at, charged: *charged });
                }
            }
            Fact::Ended { outcome, took } => {
                if let Some(known) = self.find(*recovery) {
                    known.ended = Some((*outcome, *took));
                }
            }
        }
    }

    /// The last ones, the newest first.
    pub fn newest(&self, limit: usize) -> Vec<Recovery> {
        self.all.iter().rev().take(limit).cloned().collect()
    }

    /// What there was after this time, or is still under way.
    pub fn lately(&self, since: Timestamp) -> Lately {
        let mut lately = Lately::default();
        let was_after = |one: &&Recovery| {
            let until = one.ended.and_then(|(_, took)| one.began.checked_add(took).ok());
            until.is_none_or(|until| until >= since)
        };
        for one in self.all.iter().filter(was_after) {
            lately.restarted += u64::from(!one.steps.is_empty());
            lately.withheld += u64::from(one.withheld_for.is_some());
            lately.escalated +=
                u64::from(one.ended.is_some_and(|(outcome, _)| outcome == Outcome::Escalated));
        }
        lately
    }

    fn push(&mut self, recovery: Recovery) {
        // What an earlier process did may become known late.
        let at = self.all.partition_point(|known| known.id < recovery.id);
        if self.all.get(at).is_some_and(|known| known.id == recovery.id) {
            return;
        }
        self.all.insert(at, recovery);
        while self.all.len() > self.most {
            self.all.pop_front();
        }
    }

    fn find(&mut self, id: EntryKey) -> Option<&mut Recovery> {
        self.all.iter_mut().rev().find(|known| known.id == id)
    }
}
