//! How a machine begins: with what the ledger says of the processes before.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, Moment};

use crate::accounts::{Accounts, IllegalEntry, Open, ended_with_its_process};
use crate::part::{Part, Phase, Repair};
use crate::{By, Entry, EntryKey, Fact, Now, Outcome, PartSpec, RecoveryConfig, Step};

use super::{ENDS_APART, FailureClass, MEMORY_PATIENCE, Machine, PartId};

/// The evidence of a process that is gone.
const NOTHING_LEFT: &str =
    "nothing is left to be seen of that process but its log, its events and its samples up to then\n";

/// What the ledger says of the past.
#[derive(Clone, Debug)]
pub struct Past {
    accounts: Accounts,
    /// Whether it can never be known.
    is_lost: bool,
}

/// The recovery of a part for which the process before was ended, for the sake of what the part runs.
#[derive(Clone, Debug)]
pub(super) struct Unproven {
    key: EntryKey,
    outer: PartId,
    began: Moment,
    before: Duration,
    /// What it runs that has not got on in this process.
    left: Vec<PartId>,
}

impl Past {
    /// Of a store that has never had a ledger.
    pub fn none() -> Self {
        Self::of(Accounts::default())
    }

    /// Goes through the entries in their order. Any prefix of what a machine recorded is a legal past, and so is what is left of one
    /// when the oldest entries are not kept any more.
    ///
    /// # Errors
    /// When no machine can have recorded these.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>, now: Now) -> Result<Self, IllegalEntry> {
        let mut accounts = Accounts::default();
        let entries: Vec<&Entry> = entries.into_iter().collect();
        // A wall clock that was set back since makes what is recorded look younger, and so the budget smaller; but not younger than
        // it was when the newest was recorded.
        let wall = entries.iter().map(|entry| entry.at).fold(now.wall, Timestamp::max);
        for entry in entries {
            let age = Duration::try_from(wall.duration_since(entry.at)).unwrap_or(Duration::ZERO);
            accounts.apply(entry, age, now.moment)?;
        }
        Ok(Self::of(accounts))
    }

    /// Of a ledger that can never be read: every budget counts as spent for an hour.
    pub fn unreadable(now: Now) -> Self {
        Self::none().with_a_loss(now)
    }

    /// The same, when this is what is left of it.
    #[must_use]
    pub fn with_a_loss(mut self, now: Now) -> Self {
        self.accounts.lose(now.moment);
        Self { is_lost: true, ..self }
    }

    /// Of a ledger that could not be read yet: every budget counts as spent until [`Machine::recall`].
    pub fn unread() -> Self {
        Self::of(Accounts::spent(Moment::MAX))
    }

    /// Whether this very process could not read it, or a piece of it.
    pub const fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Until when every budget counts as spent, since this process, or one before, could not read its past. `None` if they do not.
    pub fn spent_until(&self, now: Moment) -> Option<Moment> {
        Some(self.accounts.spent_until()).filter(|until| *until > now)
    }

    fn of(accounts: Accounts) -> Self {
        Self { accounts, is_lost: false }
    }
}

/// What the processes before left to be told.
struct Unsettled {
    died: Vec<Epoch>,
    open: Vec<(EntryKey, Open)>,
}

impl Unsettled {
    fn of(accounts: &Accounts) -> Self {
        let open = accounts.open().map(|(key, open)| (key, open.clone())).collect();
        Self { died: accounts.deaths(), open }
    }
}

impl Machine {
    /// The machine of a process that starts all these parts now, each as its first incarnation.
    ///
    /// A process before it that has not said that it ended died, and that is one charge.
    pub fn boot(parts: Vec<PartSpec>, config: RecoveryConfig, epoch: Epoch, past: Past, now: Now) -> Self {
        let mut machine = Self {
            config,
            epoch,
            next: 0,
            accounts: Accounts::default(),
            parts: parts.into_iter().map(|spec| Part::new(spec, now.moment)).collect(),
            probes: BTreeMap::new(),
            known: BTreeMap::new(),
            escalated: None,
            unproven: None,
            memory: None,
            memory_patience: MEMORY_PATIENCE,
            ends_apart: ENDS_APART,
            is_over: false,
            is_closed: false,
            effects: VecDeque::new(),
        };
        let Past { accounts, is_lost } = past;
        let unsettled = Unsettled::of(&accounts);
        machine.accounts = accounts;
        machine.next_entry(None, Entry::PROCESS, Fact::Booted, now);
        machine.note_loss(is_lost, now);
        machine.settle(unsettled, now);
        machine
    }

    /// What the processes before did is known only now. Until then every budget counted as spent.
    pub fn recall(&mut self, past: Past, now: Now) {
        let Past { accounts, is_lost } = past;
        let unsettled = Unsettled::of(&accounts);
        self.accounts.recall(accounts);
        if self.is_over {
            return;
        }
        self.note_loss(is_lost, now);
        self.settle(unsettled, now);
        if let Some(escalation) = &mut self.escalated {
            escalation.again = now.moment;
        }
        for part in &mut self.parts {
            if let Some(Repair { phase: Phase::Escalated { again, .. }, .. }) = &mut part.repair {
                // It may have been given up for no more than that nothing was known.
                *again = now.moment;
                part.given_up = 0;
            }
        }
    }

    /// The ledger begins anew: the next process must not find its budgets full.
    fn note_loss(&mut self, is_lost: bool, now: Now) {
        if is_lost {
            self.next_entry(None, Entry::PROCESS, Fact::Spent, now);
        }
    }

    /// Goes on with what the processes before left.
    fn settle(&mut self, Unsettled { died, open }: Unsettled, now: Now) {
        for (key, open) in open {
            let age = Duration::try_from(now.wall.duration_since(open.began)).unwrap_or(Duration::ZERO);
            let id = self.of_subject(&open.subject);
            let ended = ended_with_its_process(&open);
            let free = id.filter(|id| self.parts[id.0].repair.is_none() && ended.is_none());
            if let Some(outer) = free.filter(|id| !self.within(*id).is_empty()) {
                // It was ended for what the part runs, and that the part itself gets on shows nothing.
                let left = self.within(outer);
                self.unproven = Some(Unproven { key, outer, began: now.moment, before: age, left });
                continue;
            }
            if let Some(id) = free {
                // Whether the end of the process helped shows when the part gets on.
                let name = self.parts[id.0].spec.name;
                let subject = if open.subject == name { name } else { Entry::WORK_PLANE };
                self.parts[id.0].repair = Some(Repair {
                    key,
                    subject,
                    began: now.moment,
                    before: age,
                    cause: "the process was ended for it".to_owned(),
                    by: open.by,
                    rung: Some(Step::EndProcess),
                    is_paid: true,
                    proved_by: vec![id],
                    phase: Phase::Watching,
                    was_given_up: false,
                });
                continue;
            }
            // The process is a new one: what it was ended for as a whole is over, and what it was ended for in a part that fails again has
            // not helped.
            let has_helped = if id.is_none() { Outcome::Recovered } else { Outcome::Failed };
            let outcome = ended.unwrap_or(has_helped);
            self.next_entry(Some(key), &open.subject, Fact::Ended { outcome, took: age }, now);
        }
        for before in died {
            let cause =
                format!("the process before, of epoch {before}, left no word that it stopped in order");
            let (class, by) = (FailureClass::System, By::Service);
            // What there is to see now is of another process.
            let evidence = Some(NOTHING_LEFT.to_owned());
            let fact = Fact::Began { cause, class, by, evidence };
            let key = self.next_entry(None, Entry::PROCESS, fact, now);
            let charged = self.accounts.may_restart(Entry::PROCESS, &self.config, now.moment);
            self.next_entry(Some(key), Entry::PROCESS, Fact::Step { step: Step::Start, charged }, now);
            let fact = Fact::Ended { outcome: Outcome::Recovered, took: Duration::ZERO };
            self.next_entry(Some(key), Entry::PROCESS, fact, now);
        }
    }

    /// A part got on: it may be the last one to show that the end of the process before has helped.
    pub(super) fn prove_the_end(&mut self, id: PartId, now: Now) {
        let Some(Unproven { left, .. }) = &mut self.unproven else { return };
        left.retain(|other| *other != id);
        if left.is_empty() {
            self.settle_the_end(Outcome::Recovered, now);
        }
    }

    /// A part has failed: if the process before was ended for it, that has not helped.
    pub(super) fn disprove_the_end(&mut self, id: PartId, now: Now) {
        let is_of_it = |Unproven { outer, left, .. }: &Unproven| *outer == id || left.contains(&id);
        if self.unproven.as_ref().is_some_and(is_of_it) {
            self.settle_the_end(Outcome::Failed, now);
        }
    }

    pub(super) fn settle_the_end(&mut self, outcome: Outcome, now: Now) {
        let Some(Unproven { key, outer, began, before, .. }) = self.unproven.take() else { return };
        let (subject, took) = (self.parts[outer.0].spec.name, before + (now.moment - began));
        self.next_entry(Some(key), subject, Fact::Ended { outcome, took }, now);
    }

    /// The part that shows whether a recovery of this subject has helped.
    fn of_subject(&self, subject: &str) -> Option<PartId> {
        let is_it =
            |part: &Part| part.spec.name == subject || (part.spec.is_canary && subject == Entry::WORK_PLANE);
        self.ids().find(|id| is_it(&self.parts[id.0]))
    }
}
