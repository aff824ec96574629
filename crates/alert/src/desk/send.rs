//! What is sent now, and what becomes of it.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::{Moment, Severity};

use super::thread::Row;
use super::{Desk, Thread, ThreadKey};
use crate::record::DeadLetter;
use crate::{Attempt, ChannelId, Now, OutboxRow, Outcome, Receipt, RowKey};

/// The last word of a channel on a message. There may be very many episodes in it, which are gone through one at a time.
#[derive(Debug)]
pub(super) struct Answer {
    thread: ThreadKey,
    row: OutboxRow,
    /// Of how many episodes it has been taken up.
    taken_up: usize,
    at: Moment,
    receipt: Receipt,
}

impl Desk {
    /// The channels on which there is a message to send. Which one that is, [`poll_send`](Self::poll_send) says, once the channel
    /// may be told something.
    pub fn poll_channels(&mut self, now: Now) -> BTreeSet<ChannelId> {
        self.sendable(now).into_iter().map(|(_, channel)| channel).collect()
    }

    /// The next message to send on a channel, the worst first, which is under way from here on until
    /// [`handle_outcome`](Self::handle_outcome). It passes the gate once more. Only what the store has is sent; while that hangs or
    /// fails, CRITICAL is sent from memory. One for a channel that other settings have taken away is to be answered as refused.
    pub fn poll_send(&mut self, channel: &ChannelId, now: Now) -> Option<Attempt> {
        let mut waiting = self.sendable(now);
        waiting.retain(|(_, of)| of == channel);
        waiting.sort_by_cached_key(|thread| {
            let row = self.threads.get(thread).and_then(|thread| thread.row.as_ref());
            Reverse(row.map(|row| row.out.message.severity))
        });
        waiting.into_iter().find_map(|thread| self.attempt(&thread, now))
    }

    /// The threads whose message may be sent now, if nothing hides it.
    fn sendable(&mut self, now: Now) -> Vec<ThreadKey> {
        let steady = self.clock.read(now);
        if !self.is_open {
            return Vec::new();
        }
        self.look_at_quiets(now);
        let is_stalled = self.unsaved.is_stalled();
        let may_go = |row: &Row| row.is_saved || is_stalled && row.out.message.severity == Severity::Critical;
        let waits = |thread: &Thread| thread.may_try(steady) && thread.row.as_ref().is_some_and(may_go);
        self.threads.iter().filter(|(_, thread)| waits(thread)).map(|(key, _)| key.clone()).collect()
    }

    fn attempt(&mut self, thread: &ThreadKey, now: Now) -> Option<Attempt> {
        let row = self.threads.get(thread)?.row.as_ref()?;
        let is_hidden = row.out.message.items.iter().any(|item| {
            let case = self.case_of(&item.key, item.episode.id);
            case.is_none_or(|case| self.hides(&item.key, case).is_some())
        });
        if is_hidden {
            self.doubt(thread);
            return None;
        }
        let of_thread = self.threads.get_mut(thread)?;
        let was_down = of_thread.failing_since.map(|from| (from, now.wall));
        let row = of_thread.row.as_mut()?;
        row.is_under_way = true;
        row.out.attempts += 1;
        Some(Attempt { row: row.out.clone(), was_down, is_unsaved: !row.is_saved })
    }

    /// A channel can be told nothing before `after` has passed; without one, it is asked again soon. Its messages wait, and are made
    /// again before they are sent. Nothing was sent, so this counts as no attempt.
    pub fn put_off(&mut self, channel: &ChannelId, after: Option<Duration>, now: Now) {
        let steady = self.clock.read(now);
        let mut waiting = self.sendable(now);
        waiting.retain(|(_, of)| of == channel);
        for key in waiting {
            let Some(thread) = self.threads.get_mut(&key) else { continue };
            thread.put_off(after, steady, now.wall);
            self.comes_later(&key, steady);
        }
    }

    /// A message waits for its channel. By the next attempt there may be more to tell.
    fn comes_later(&mut self, key: &ThreadKey, now: Moment) {
        let Some(thread) = self.threads.get_mut(key) else { return };
        let failing_since = thread.failing_since;
        if let Some(row) = &mut thread.row {
            (row.out.failing_since, row.is_doubtful) = (failing_since, true);
        }
        self.unsaved.row(key);
        self.wake(key, now);
    }

    /// A message that was under way was not sent, and cannot be before `after` has passed: that counts as no attempt.
    pub fn handle_not_sent(&mut self, key: &RowKey, after: Option<Duration>, now: Now) {
        let steady = self.clock.read(now);
        let Some((thread, of_thread)) = self.under_way(key) else { return };
        if let Some(row) = of_thread.row.as_mut() {
            row.is_under_way = false;
            row.out.attempts -= 1;
        }
        of_thread.put_off(after, steady, now.wall);
        self.comes_later(&thread, steady);
    }

    /// The thread of a message that is under way.
    fn under_way(&mut self, key: &RowKey) -> Option<(ThreadKey, &mut Thread)> {
        let thread = Self::thread_of(&key.channel, &key.alert);
        let of_thread = self.threads.get_mut(&thread)?;
        let row = of_thread.row.as_ref()?;
        (row.out.key == *key && row.is_under_way).then_some((thread, of_thread))
    }

    /// What became of a message. One that is not under way is ignored. [`poll`](Self::poll) takes it up.
    pub fn handle_outcome(&mut self, key: &RowKey, outcome: &Outcome, latency: Duration, now: Now) {
        let steady = self.clock.read(now);
        let Some((thread, of_thread)) = self.under_way(key) else { return };
        let Some(row) = of_thread.row.as_mut() else { return };
        row.is_under_way = false;
        let (outcome, attempt) = (outcome.bounded(), row.out.attempts);
        let receipt = Receipt { key: key.clone(), attempt, outcome, latency, at: now.wall };
        if let Outcome::Retry { after, .. } = &receipt.outcome {
            of_thread.fail(*after, now.jitter, steady, now.wall);
            self.unsaved.receipt(receipt);
            return self.comes_later(&thread, steady);
        }
        let Some(row) = of_thread.row.take() else { return };
        of_thread.answered();
        if matches!(receipt.outcome, Outcome::Delivered { .. }) {
            of_thread.told = Some(steady);
        }
        self.answers.push_back(Answer { thread, row: row.out, taken_up: 0, at: steady, receipt });
    }

    /// Takes up what a channel has answered about one more episode. Says whether there was one.
    pub(super) fn take_up_answer(&mut self) -> bool {
        let Some(answer) = self.answers.front_mut() else { return false };
        let covers = Arc::clone(&answer.row.covers);
        let Some((alert, id, said)) = covers.get(answer.taken_up) else {
            self.finish_answer();
            return true;
        };
        answer.taken_up += 1;
        let (channel, at) = (answer.thread.1.clone(), answer.at);
        let (is_delivered, remote_id) = match &answer.receipt.outcome {
            Outcome::Delivered { remote_id } => (true, remote_id.clone()),
            Outcome::Retry { .. } | Outcome::Refused { .. } => (false, None),
        };
        let fallback = self.config.settings().escalation.fallback.clone();
        let Some(case) = self.case(alert, *id) else { return true };
        let told = case.answered(&channel, *said, is_delivered, at);
        if remote_id.is_some() {
            told.remote_id = remote_id;
        }
        if let Some(fallback) = fallback.filter(|it| !is_delivered && *it != channel) {
            let told = case.told.get_or_default(fallback);
            told.is_due |= told.said.is_none();
        }
        self.unsaved.record(alert);
        self.dirty.insert(alert.clone());
        true
    }

    fn finish_answer(&mut self) {
        let Some(Answer { thread, row, receipt, at, .. }) = self.answers.pop_front() else { return };
        match &receipt.outcome {
            Outcome::Refused { why } => {
                self.unsaved.dead(DeadLetter { row, why: why.clone(), at: receipt.at });
            }
            Outcome::Delivered { .. } | Outcome::Retry { .. } => self.unsaved.settled(row.key),
        }
        self.unsaved.receipt(receipt);
        // What has come up meanwhile was not put into a message of its own.
        self.wake(&thread, at);
    }
}
