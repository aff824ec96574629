//! What is sent now, and what becomes of it.

use std::time::Duration;

use ttm_kernel::Severity;

use super::{Desk, ThreadKey};
use crate::record::DeadLetter;
use crate::{Attempt, Now, Outcome, Receipt, RowKey};

impl Desk {
    /// The next message to send, which is under way from here on until [`handle_outcome`](Self::handle_outcome). It passes the
    /// gate once more; what has been tried before and is not true any more is replaced instead. Only what the store has
    /// is sent; while that hangs or fails, CRITICAL is sent from memory.
    pub fn poll_send(&mut self, now: Now) -> Option<Attempt> {
        let steady = self.clock.read(now);
        if !self.is_open {
            return None;
        }
        self.look_at_quiets(now.wall);
        let waiting: Vec<ThreadKey> =
            self.threads.iter().filter(|(_, it)| it.may_try(steady)).map(|(key, _)| key.clone()).collect();
        waiting.into_iter().find_map(|thread| self.attempt(&thread, now))
    }

    fn attempt(&mut self, thread: &ThreadKey, now: Now) -> Option<Attempt> {
        let row = self.threads.get(thread)?.row.as_ref()?;
        let is_critical = row.out.message.severity == Severity::Critical;
        let may_go_unsaved = is_critical && self.unsaved.is_stalled();
        if !row.is_saved && !may_go_unsaved {
            return None;
        }
        if !self.is_true(thread, now) {
            let of_thread = self.threads.get_mut(thread)?;
            let row = of_thread.row.take()?;
            self.unsaved.settled(row.out.key);
            self.dirty.extend(row.out.covers.into_iter().map(|(key, ..)| key));
            self.plan(thread, now);
            return None;
        }
        let of_thread = self.threads.get_mut(thread)?;
        let was_down = of_thread.failing_since.map(|from| (from, now.wall));
        let row = of_thread.row.as_mut()?;
        (row.is_under_way, row.is_tried) = (true, true);
        row.out.attempts += 1;
        Some(Attempt { row: row.out.clone(), was_down, is_unsaved: !row.is_saved })
    }

    /// Whether a message may be sent as it is. Nothing of it may be hidden; and if somebody may have had it, or its channel was
    /// down, it must say what a new one would.
    fn is_true(&mut self, thread: &ThreadKey, now: Now) -> bool {
        let Some(row) = self.threads.get(thread).and_then(|thread| thread.row.clone()) else { return false };
        if row.is_tried {
            let (covers, _) = self.covers(thread, now.wall);
            let new = covers.iter().map(|it| (&it.key, it.id, it.said));
            return new.eq(row.out.covers.iter().map(|(key, id, said)| (key, *id, *said)));
        }
        row.out.covers.iter().all(|(key, id, said)| {
            let subject = self.subjects.get(key);
            let case = subject.and_then(|subject| Some((subject.is_flapping, subject.cases.get(id)?)));
            case.is_some_and(|(is_flapping, case)| {
                self.hides(key, case, now.wall).is_none() && (!is_flapping || said.is_flapping)
            })
        })
    }

    /// What became of a message. One that is not under way is ignored.
    pub fn handle_outcome(&mut self, key: &RowKey, outcome: &Outcome, latency: Duration, now: Now) {
        let outcome = &outcome.bounded();
        let steady = self.clock.read(now);
        let thread = Self::thread_of(&key.channel, &key.alert);
        let Some(of_thread) = self.threads.get_mut(&thread) else { return };
        let Some(row) = of_thread.row.as_mut().filter(|row| row.out.key == *key && row.is_under_way) else {
            return;
        };
        row.is_under_way = false;
        let attempt = row.out.attempts;
        self.unsaved.receipts.push(Receipt {
            key: key.clone(),
            attempt,
            outcome: outcome.clone(),
            latency,
            at: now.wall,
        });
        if let Outcome::Retry { after, .. } = outcome {
            of_thread.fail(*after, now.jitter, steady, now.wall);
            if let Some(row) = &mut of_thread.row {
                row.out.failing_since = of_thread.failing_since;
            }
            self.unsaved.row(&thread);
            return;
        }
        let Some(row) = of_thread.row.take() else { return };
        of_thread.answered();
        let (is_delivered, remote_id) = match outcome {
            Outcome::Delivered { remote_id } => (true, remote_id.clone()),
            Outcome::Retry { .. } | Outcome::Refused { .. } => (false, None),
        };
        if is_delivered {
            of_thread.told = Some(steady);
        }
        for (alert, id, said) in &row.out.covers {
            let fallback = self.config.settings().escalation.fallback.clone();
            let Some(case) = self.case(alert, *id) else { continue };
            let told = case.answered(&key.channel, *said, is_delivered, steady);
            if remote_id.is_some() {
                told.remote_id.clone_from(&remote_id);
            }
            if let Some(fallback) = fallback.filter(|it| !is_delivered && *it != key.channel) {
                let told = case.told.entry(fallback).or_default();
                told.is_due |= told.said.is_none();
            }
            self.unsaved.record(alert);
            self.dirty.insert(alert.clone());
        }
        match outcome {
            Outcome::Refused { why } => {
                self.unsaved.dead.push(DeadLetter { row: row.out, why: why.clone(), at: now.wall });
            }
            Outcome::Delivered { .. } | Outcome::Retry { .. } => self.unsaved.settled(row.out.key),
        }
        // What has come up meanwhile was not put into a message of its own.
        self.wake(&thread, steady);
    }
}
