//! What the store does not have yet.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::Moment;

use super::{AlertKey, Desk, ThreadKey};
use crate::engine::Running;
use crate::record::{AlertRecord, Commit, DeadLetter};
use crate::{Now, Quiet, QuietId, Receipt, RowKey};

/// What an order changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// An alert, or who is told of it.
    Alert(AlertKey),
    /// Silences or maintenance windows.
    Silences,
}

/// What changed since the last commit.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    records: BTreeSet<AlertKey>,
    rows: BTreeSet<ThreadKey>,
    settled: Vec<RowKey>,
    dead: Vec<DeadLetter>,
    receipts: Vec<Receipt>,
    quiets: BTreeMap<QuietId, Option<Quiet>>,
    /// The commit that is under way, and since when.
    under_way: Option<(Arc<Commit>, Moment)>,
    is_slow: bool,
    has_failed: bool,
}

/// How many states are stored in one commit.
const MOST_RECORDS: usize = 250;

/// How many episodes of messages are looked at for it.
const MOST_LOOKED: usize = 2_000;

/// How many receipts and dead letters wait for a store that is away, and messages that are to be taken out of it; the oldest are
/// given up.
const MOST_WAITING: usize = 10_000;

impl Unsaved {
    pub(super) fn record(&mut self, key: &AlertKey) {
        self.records.insert(key.clone());
    }

    pub(super) fn row(&mut self, thread: &ThreadKey) {
        self.rows.insert(thread.clone());
    }

    pub(super) fn settled(&mut self, key: RowKey) {
        push(&mut self.settled, key);
    }

    pub(super) fn receipt(&mut self, receipt: Receipt) {
        push(&mut self.receipts, receipt);
    }

    pub(super) fn dead(&mut self, letter: DeadLetter) {
        push(&mut self.dead, letter);
    }

    pub(super) fn quiet(&mut self, id: QuietId, quiet: Option<Quiet>) {
        self.quiets.insert(id, quiet);
    }

    pub(super) fn handle_timeout(&mut self, now: Moment, patience: Duration) {
        self.is_slow =
            self.under_way.as_ref().is_some_and(|(_, since)| now.saturating_since(*since) >= patience);
    }

    /// When the commit that is under way has taken too long.
    pub(super) fn patience_ends(&self, patience: Duration) -> Option<Moment> {
        self.under_way.as_ref().map(|(_, since)| *since + patience)
    }

    /// Whether the store takes too long, or has refused the last commit.
    pub(super) fn is_stalled(&self) -> bool {
        self.is_slow || self.has_failed
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.rows.is_empty()
            && self.settled.is_empty()
            && self.dead.is_empty()
            && self.receipts.is_empty()
            && self.quiets.is_empty()
    }
}

impl Desk {
    /// What to store next, in one go; `None` if nothing has changed, or while a commit is under way. After a storm, states are
    /// stored in several commits: first those that messages follow from, each message with the last of its own, CRITICAL ones
    /// before all others. Answer with [`handle_committed`](Self::handle_committed) or
    /// [`handle_commit_failed`](Self::handle_commit_failed).
    pub fn poll_commit(&mut self, now: Now) -> Option<Arc<Commit>> {
        if self.unsaved.under_way.is_some() || self.unsaved.is_empty() {
            return None;
        }
        let mut commit = Commit::default();
        self.with_messages(&mut commit);
        while commit.states() < MOST_RECORDS {
            let Some(key) = self.unsaved.records.pop_first() else { break };
            self.with_state(&mut commit, key);
        }
        if self.unsaved.records.is_empty() {
            // What became of messages, after the states that say so.
            commit.settled = std::mem::take(&mut self.unsaved.settled);
            commit.dead = std::mem::take(&mut self.unsaved.dead);
            commit.receipts = std::mem::take(&mut self.unsaved.receipts);
        }
        for (id, quiet) in std::mem::take(&mut self.unsaved.quiets) {
            match quiet {
                Some(quiet) => commit.quiets.push((id, quiet)),
                None => commit.ended_quiets.push(id),
            }
        }
        let commit = Arc::new(commit);
        self.unsaved.under_way = Some((Arc::clone(&commit), now.moment));
        Some(commit)
    }

    fn with_state(&self, commit: &mut Commit, key: AlertKey) {
        match self.record(&key) {
            Some(record) => commit.records.push(record),
            None => commit.forgotten.push(key),
        }
    }

    /// Messages all of whose states are stored, or are in this commit.
    fn with_messages(&mut self, commit: &mut Commit) {
        let row = |thread: &ThreadKey| self.threads.get(thread).and_then(|thread| thread.row.as_ref());
        let severity = |thread: &ThreadKey| row(thread).map(|row| row.out.message.severity);
        let mut threads: Vec<ThreadKey> = self.unsaved.rows.iter().cloned().collect();
        threads.sort_by_cached_key(|thread| Reverse(severity(thread)));
        let mut looked = 0;
        for thread in threads {
            let Some(row) = self.threads.get(&thread).and_then(|thread| thread.row.as_ref()) else {
                self.unsaved.rows.remove(&thread);
                continue;
            };
            let (covers, mut stored) = (Arc::clone(&row.out.covers), row.stored);
            while let Some((key, ..)) = covers.get(stored).filter(|_| !self.unsaved.records.is_empty()) {
                if commit.states() >= MOST_RECORDS || looked >= MOST_LOOKED {
                    break;
                }
                (looked, stored) = (looked + 1, stored + 1);
                if self.unsaved.records.remove(key) {
                    self.with_state(commit, key.clone());
                }
            }
            let is_whole = stored >= covers.len() || self.unsaved.records.is_empty();
            let Some(row) = self.threads.get_mut(&thread).and_then(|thread| thread.row.as_mut()) else {
                continue;
            };
            row.stored = stored;
            if is_whole {
                row.stored = covers.len();
                commit.rows.push(row.out.clone());
                self.unsaved.rows.remove(&thread);
            }
        }
    }

    /// The store has the commit that was under way.
    pub fn handle_committed(&mut self) {
        let Some((commit, _)) = self.unsaved.under_way.take() else { return };
        (self.unsaved.is_slow, self.unsaved.has_failed) = (false, false);
        for out in &commit.rows {
            let thread = self.threads.get_mut(&Self::thread_of(&out.key.channel, &out.key.alert));
            if let Some(row) =
                thread.and_then(|thread| thread.row.as_mut()).filter(|row| row.out.key == out.key)
            {
                row.is_saved = true;
            }
        }
    }

    /// The store has not taken the commit that was under way, or nobody knows: all of it is in the next one.
    pub fn handle_commit_failed(&mut self) {
        let Some((commit, _)) = self.unsaved.under_way.take() else { return };
        (self.unsaved.is_slow, self.unsaved.has_failed) = (false, true);
        let commit = Arc::unwrap_or_clone(commit);
        let records = commit.records.into_iter().map(|record| record.key);
        self.unsaved.records.extend(records.chain(commit.forgotten));
        self.unsaved
            .rows
            .extend(commit.rows.iter().map(|out| Self::thread_of(&out.key.channel, &out.key.alert)));
        for row in self.threads.values_mut().filter_map(|thread| thread.row.as_mut()) {
            row.stored = 0;
        }
        first(commit.settled, &mut self.unsaved.settled);
        first(commit.dead, &mut self.unsaved.dead);
        first(commit.receipts, &mut self.unsaved.receipts);
        let quiets = commit.quiets.into_iter().map(|(id, quiet)| (id, Some(quiet)));
        for (id, quiet) in quiets.chain(commit.ended_quiets.into_iter().map(|id| (id, None))) {
            self.unsaved.quiets.entry(id).or_insert(quiet);
        }
    }

    /// The store could not even be asked what it has. Until a commit is taken, what is CRITICAL is sent from memory.
    pub fn handle_store_away(&mut self) {
        self.unsaved.has_failed = true;
    }

    /// Whether the store has everything, so that the journal of what was sent from memory can be cleared.
    pub fn is_saved(&self) -> bool {
        self.unsaved.under_way.is_none() && self.unsaved.is_empty() && self.answers.is_empty()
    }

    /// The newest receipts and dead letters that the store does not have yet, as far as is known, oldest first.
    pub fn unstored(&self, limit: usize) -> (Vec<Receipt>, Vec<DeadLetter>) {
        let under_way = self.unsaved.under_way.as_ref().map(|(commit, _)| &**commit);
        let (receipts, dead): (&[_], &[_]) =
            under_way.map_or((&[], &[]), |commit| (&commit.receipts, &commit.dead));
        (newest(receipts, &self.unsaved.receipts, limit), newest(dead, &self.unsaved.dead, limit))
    }

    /// Whether the store has what an order changed. While it changes on and on by itself, that may be said late.
    pub fn has_stored(&self, changed: &Changed) -> bool {
        let waits = match changed {
            Changed::Alert(key) => self.unsaved.records.contains(key),
            Changed::Silences => !self.unsaved.quiets.is_empty(),
        };
        !waits && self.unsaved.under_way.is_none()
    }

    /// Has the observed time of every alert whose time is running stored: a kill loses what was observed since the last time.
    pub fn checkpoint(&mut self) {
        self.checkpoint = Some(Running::default());
    }

    /// Goes on with that. Says whether there was anything to do.
    pub(super) fn go_on_with_checkpoint(&mut self) -> bool {
        let next = self.checkpoint.as_mut().and_then(|walk| self.engine.next_running(walk));
        if let Some(key) = &next {
            self.unsaved.record(key);
        } else {
            self.checkpoint = None;
        }
        next.is_some()
    }

    /// Everything about an alert; `None` if nothing is kept of it.
    pub fn record(&self, key: &AlertKey) -> Option<AlertRecord> {
        let life = self.engine.saved(key);
        let subject = self.subjects.get(key);
        if life.is_none() && subject.is_none() {
            return None;
        }
        let changes = subject.iter().flat_map(|subject| &subject.changes);
        Some(AlertRecord {
            key: key.clone(),
            life,
            changes: changes.map(|at| self.clock.wall(*at)).collect(),
            is_flapping: subject.is_some_and(|subject| subject.is_flapping),
            cases: subject
                .iter()
                .flat_map(|subject| subject.cases.values())
                .map(|case| case.saved(&self.clock))
                .collect(),
        })
    }

    /// All alerts of which something is kept, ordered by their keys.
    pub fn records(&self) -> impl Iterator<Item = AlertRecord> {
        let keys: BTreeSet<AlertKey> =
            self.engine.all().map(|alert| alert.key).chain(self.subjects.keys().cloned()).collect();
        keys.into_iter().filter_map(|key| self.record(&key))
    }
}

impl Commit {
    fn states(&self) -> usize {
        self.records.len() + self.forgotten.len()
    }
}

/// The newest of both, older ones first.
fn newest<T: Clone>(older: &[T], newer: &[T], limit: usize) -> Vec<T> {
    let skipped = (older.len() + newer.len()).saturating_sub(limit);
    older.iter().chain(newer).skip(skipped).cloned().collect()
}

/// Puts what comes back before what came since, and keeps the newest.
fn first<T>(mut back: Vec<T>, since: &mut Vec<T>) {
    back.append(since);
    back.drain(..back.len().saturating_sub(MOST_WAITING));
    *since = back;
}

/// Adds to what waits, and keeps the newest.
fn push<T>(waiting: &mut Vec<T>, new: T) {
    waiting.push(new);
    if waiting.len() >= 2 * MOST_WAITING {
        waiting.drain(..MOST_WAITING);
    }
}
