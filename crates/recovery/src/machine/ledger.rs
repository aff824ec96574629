//! What the machine writes into the ledger, and what it keeps of a recovery meanwhile.

use super::{
    By, Duration, Effect, Entry, EntryKey, Fact, FailureClass, Machine, Now, Outcome, PartId, Phase, Repair,
};

impl Machine {
    pub(super) fn begin(
        &mut self,
        id: PartId,
        subject: &'static str,
        cause: &str,
        by: By,
        now: Now,
    ) -> EntryKey {
        let cause = bounded(cause);
        let fact = Fact::Began { cause: cause.clone(), class: FailureClass::System, by, evidence: None };
        self.open(id, subject, fact, cause, by, now)
    }

    /// Begins a line of the ledger about a part.
    pub(super) fn open(
        &mut self,
        id: PartId,
        subject: &'static str,
        fact: Fact,
        cause: String,
        by: By,
        now: Now,
    ) -> EntryKey {
        let key = self.next_entry(None, subject, fact, now);
        self.parts[id.0].repair = Some(Repair {
            key,
            subject,
            began: now.moment,
            before: Duration::ZERO,
            cause,
            by,
            rung: None,
            // What a person orders costs nothing.
            is_paid: by == By::Operator,
            proved_by: vec![id],
            phase: Phase::BackingOff(now.moment),
            was_given_up: false,
        });
        key
    }

    /// The repair of a part is over, and what it would have found out is found out by another part.
    pub(super) fn close(&mut self, id: PartId, outcome: Outcome, now: Now) {
        self.end(id, outcome, now);
        self.lose_probe(id, now);
    }

    /// The repair of a part is over. If it was escalated it has been, in the ledger.
    pub(super) fn end(&mut self, id: PartId, outcome: Outcome, now: Now) -> Option<Repair> {
        let repair = self.parts[id.0].repair.take()?;
        if !matches!(repair.phase, Phase::Escalated { .. }) {
            let took = repair.before + (now.moment - repair.began);
            self.next_entry(Some(repair.key), repair.subject, Fact::Ended { outcome, took }, now);
        }
        Some(repair)
    }

    /// Makes the next entry, of this recovery or the first of one.
    pub(super) fn next_entry(
        &mut self,
        recovery: Option<EntryKey>,
        subject: &str,
        fact: Fact,
        now: Now,
    ) -> EntryKey {
        let key = EntryKey { epoch: self.epoch, number: self.next };
        self.next += 1;
        let recovery = recovery.unwrap_or(key);
        let entry = Entry { key, recovery, at: now.wall, subject: subject.to_owned(), fact };
        let applied = self.accounts.apply(&entry, Duration::ZERO, now.moment);
        debug_assert_eq!(applied, Ok(()), "{entry:?}");
        self.effects.push_back(Effect::Record(entry));
        key
    }
}

/// A panic may say anything at any length; the ledger does not keep that.
pub(super) fn bounded(cause: &str) -> String {
    let mut cause = cause.replace('\0', "\u{fffd}");
    cause.truncate(cause.floor_char_boundary(Entry::MAX_CAUSE));
    cause
}
