//! Recoveries on their way into the ledger, and what the ledger said at the start.
//!
//! An entry is stored before what it says is done, if the store answers within a second; else it waits here, and is stored when the
//! store is back. What it says is done all the same: a store that is away must not keep a stuck group stuck. What ends the process
//! also goes into a local file, so that no step that costs a budget is forgotten with the memory; and so does what a stop cannot
//! store, so that the next process does not take it for a death.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_kernel::{Epoch, FencingToken, Moment, Runtime, StoreError, StoreErrorKind, within};
use ttm_recovery::{
    Entry, EntryKey, Fact, LEDGER_KEEPS, LastWords, Now, Past, RECOVERIES_SHOWN, Recoveries, RecoveryLedger,
    Step,
};

use crate::board::Board;
use crate::bounded::{bounded, timed_out};
use crate::io::run_on;
use crate::ports::Ports;
use crate::stores::StoreUse;

/// A step waits this long for the store at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// What waits is tried again after this.
const RETRY: Duration = Duration::from_secs(5);
/// A ledger that does not answer is asked so often: the start does not wait for it as for the tokens.
const LOADS: usize = 3;

/// The ledger as the supervisor writes it.
pub(crate) struct Ledger {
    port: Arc<dyn RecoveryLedger>,
    last_words: Option<Arc<dyn LastWords>>,
    /// The call of the local file that is under way has the other one.
    turn: Arc<()>,
    io: Arc<dyn Runtime>,
    board: Arc<Board>,
    under: FencingToken,
    /// What is not stored yet, oldest first.
    waiting: VecDeque<Entry>,
    retry_at: Moment,
    /// The last entry that the file holds, which the ledger may not have.
    in_file: Option<EntryKey>,
    /// Whether what the processes before did is still to be read.
    is_unread: bool,
    /// The last recoveries, for readers.
    pub(crate) shown: Arc<Mutex<Recoveries>>,
}

/// What was found of the processes before.
pub(crate) struct Found {
    pub(crate) past: Past,
    /// What is wrong with it, in a line for a person.
    pub(crate) problem: Option<String>,
}

impl Ledger {
    pub(crate) fn new(ports: &Ports, board: &Arc<Board>, io: &Arc<dyn Runtime>, epoch: Epoch) -> Self {
        Self {
            port: ports.ledger.clone(),
            last_words: ports.last_words.clone(),
            turn: Arc::default(),
            io: io.clone(),
            board: board.clone(),
            under: FencingToken::first(epoch),
            waiting: VecDeque::new(),
            retry_at: Moment::ZERO,
            in_file: None,
            is_unread: false,
            shown: Arc::new(Mutex::new(Recoveries::new(RECOVERIES_SHOWN))),
        }
    }

    /// What the processes before did. While that cannot be read every budget counts as spent: better a person too early than a restart
    /// too many. A ledger that is damaged is set aside; one that is away is read once it is back.
    pub(crate) async fn read(&mut self, now: Now) -> Found {
        // All that is kept, and not what is young: a wall clock that was set back would leave holes. A process that dies as often as
        // systemd starts it again makes some three thousand entries in an hour, each of which may count against a budget.
        let mut entries = self.load().await;
        for _ in 1..LOADS {
            if !matches!(&entries, Err(error) if error.may_pass()) {
                break;
            }
            self.io.sleep_until(self.io.now() + PATIENCE).await;
            entries = self.load().await;
        }
        match entries {
            Ok(entries) => self.replay(entries, now).await,
            Err(error) if is_damaged(&error) => self.unreadable(&error.to_string(), true, false, now).await,
            Err(error) => {
                self.is_unread = true;
                self.retry_at = self.io.now() + RETRY;
                let problem = format!(
                    "the ledger of recoveries cannot be read yet, so every budget counts as spent: {error}"
                );
                tracing::warn!(problem, "self-healing starts with nothing left");
                Found { past: Past::unreadable(now), problem: Some(problem) }
            }
        }
    }

    /// What the processes before did, if that could not be read so far and now can.
    pub(crate) async fn recall(&mut self, now: Now) -> Option<Found> {
        let at = self.io.now();
        if !self.is_unread || at < self.retry_at {
            return None;
        }
        let Ok(Ok(entries)) = within(&*self.io, at + PATIENCE, self.load()).await else {
            self.retry_at = self.io.now() + RETRY;
            return None;
        };
        self.is_unread = false;
        let own = self.under.epoch();
        // What this process has stored meanwhile is not of the past.
        let entries = entries.into_iter().filter(|entry| entry.key.epoch != own).collect();
        Some(self.replay(entries, now).await)
    }

    /// Puts the ledger and the local file together.
    async fn replay(&mut self, entries: Vec<Entry>, now: Now) -> Found {
        let kept = self.words(PATIENCE, |words| words.read()).await.transpose();
        let mut kept = match kept {
            Ok(kept) => kept.unwrap_or_default(),
            Err(error) => {
                return self.unreadable(&format!("the local file: {error}"), false, true, now).await;
            }
        };
        // If another process has booted since without this file, as on another host, it has told how what was under way ended, and
        // taken the one before for dead. What was spent counts all the same.
        let newest = entries.last().map(|entry| entry.key.epoch);
        kept.retain(|entry| {
            let is_end = matches!(entry.fact, Fact::Closed | Fact::Ended { .. });
            !is_end || Some(entry.key.epoch) >= newest
        });
        let mut all: BTreeMap<EntryKey, Entry> =
            kept.iter().map(|entry| (entry.key, entry.clone())).collect();
        all.extend(entries.into_iter().map(|entry| (entry.key, entry)));
        let all: Vec<Entry> = all.into_values().collect();
        if let Some(ahead) = all.last().filter(|entry| entry.key.epoch >= self.under.epoch()) {
            let problem =
                format!("it has entries of epoch {}, and this is {}", ahead.key.epoch, self.under.epoch());
            return self.unreadable(&problem, true, true, now).await;
        }
        match Past::replay(&all, now) {
            Ok(past) => {
                let mut shown = self.shown.lock();
                for entry in &all {
                    shown.add(entry);
                }
                drop(shown);
                self.in_file = self.in_file.or(kept.last().map(|entry| entry.key));
                for entry in kept.into_iter().rev() {
                    self.waiting.push_front(entry);
                }
                Found { past, problem: None }
            }
            Err(error) => self.unreadable(&error.to_string(), true, true, now).await,
        }
    }

    async fn load(&self) -> Result<Vec<Entry>, StoreError> {
        let load = caught(self.port.load(Timestamp::MIN, LEDGER_KEEPS));
        bounded("loading the ledger of recoveries", &*self.io, load).await
    }

    async fn unreadable(&mut self, problem: &str, ledger: bool, file: bool, now: Now) -> Found {
        if ledger {
            let aside = self.port.set_aside(self.under);
            if let Err(error) = bounded("setting the ledger aside", &*self.io, aside).await {
                tracing::error!(%error, "the ledger of recoveries cannot be set aside");
            }
        }
        if file && let Some(Err(error)) = self.words(PATIENCE, |words| words.set_aside()).await {
            tracing::error!(%error, "the file of last words cannot be set aside");
        }
        let problem = format!(
            "the ledger of recoveries cannot be used, so every budget counts as spent for an hour: {problem}"
        );
        tracing::error!(problem, kept_elsewhere = ledger || file, "self-healing starts with nothing left");
        Found { past: Past::unreadable(now), problem: Some(problem) }
    }

    /// Has an entry wait for the store.
    pub(crate) fn add(&mut self, entry: Entry) {
        self.shown.lock().add(&entry);
        if self.waiting.len() >= LEDGER_KEEPS {
            self.waiting.pop_front();
        }
        self.waiting.push_back(entry);
    }

    /// Puts an entry into the ledger before what it says is done.
    pub(crate) async fn record(&mut self, entry: Entry) {
        let ends = matches!(entry.fact, Fact::Step { step: Step::EndProcess, .. });
        self.add(entry);
        if ends {
            self.keep(PATIENCE).await;
        }
        // One that does not answer is waited for once, and not with each of the entries that belong together.
        self.tend().await;
    }

    /// Puts what waits into the local file: the ledger may never get it.
    async fn keep(&mut self, patience: Duration) {
        let is_new = |entry: &&Entry| self.in_file.is_none_or(|last| entry.key > last);
        let entries: Vec<Entry> = self.waiting.iter().filter(is_new).cloned().collect();
        match self.words(patience, move |words| words.write(&entries)).await {
            Some(Ok(())) => self.in_file = self.waiting.back().map(|entry| entry.key),
            Some(Err(error)) => tracing::error!(%error, "what is said last cannot be kept in the local file"),
            None => {}
        }
    }

    /// The process stops: stores what waits, or else keeps it in the local file. Each has half the time.
    pub(crate) async fn close(&mut self, patience: Duration) {
        if !self.store(patience / 2).await {
            self.keep(patience / 2).await;
        }
    }

    /// Stores what waits, if it is time to try.
    pub(crate) async fn tend(&mut self) {
        if !self.waiting.is_empty() && self.io.now() >= self.retry_at {
            self.store(PATIENCE).await;
        }
    }

    /// Stores what waits. Whether nothing waits any more.
    pub(crate) async fn store(&mut self, patience: Duration) -> bool {
        let entries: Vec<Entry> = self.waiting.iter().cloned().collect();
        if entries.is_empty() {
            return true;
        }
        let (now, wall) = (self.io.now(), self.io.wall());
        if self.board.stores.may_ask(StoreUse::Recoveries, now, wall).is_err() {
            return false;
        }
        let append = caught(self.port.append(self.under, &entries));
        let stored = within(&*self.io, now + patience, append).await;
        let now = self.io.now();
        match stored.unwrap_or_else(|_| Err(timed_out(patience))) {
            Ok(()) => {
                self.waiting.clear();
                self.board.stores.answered(StoreUse::Recoveries, now);
                if self.in_file.take().is_some()
                    && let Some(Err(error)) = self.words(PATIENCE, |words| words.clear()).await
                {
                    tracing::warn!(%error, "the file of last words cannot be cleared");
                }
            }
            Err(error) if error.kind() == StoreErrorKind::Rejected => {
                let before = self.waiting.len();
                self.waiting.retain(|entry| entry.check().is_ok());
                if self.waiting.len() == before {
                    self.waiting.clear();
                }
                let dropped = before - self.waiting.len();
                tracing::error!(%error, dropped, "the store refuses what it is told of recoveries; that is dropped");
            }
            Err(error) => {
                self.board.stores.failed(StoreUse::Recoveries, &error, now, self.io.wall());
                self.retry_at = now + RETRY.max(error.retry_after().unwrap_or_default());
            }
        }
        self.waiting.is_empty()
    }

    /// Uses the local file on the io plane: a disk may take its time. `None` if there is no such file.
    async fn words<T: Send + 'static>(
        &self,
        patience: Duration,
        call: impl FnOnce(&dyn LastWords) -> std::io::Result<T> + Send + 'static,
    ) -> Option<std::io::Result<T>> {
        let words = self.last_words.clone()?;
        if Arc::strong_count(&self.turn) > 1 {
            // A disk that hangs takes one thread of the io plane, and must not take all.
            return Some(Err(std::io::ErrorKind::TimedOut.into()));
        }
        let turn = self.turn.clone();
        let call = run_on(&*self.io, async move {
            let answer = call(&*words);
            drop(turn);
            answer
        });
        let answer = within(&*self.io, self.io.now() + patience, call).await;
        Some(answer.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())))
    }
}

/// What records restarts must not need one.
async fn caught<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let ended = AssertUnwindSafe(call).catch_unwind().await;
    ended.unwrap_or_else(|_| Err(StoreError::unexpected("the ledger's adapter panicked")))
}

/// Whether the content is what is wrong, and not the way to it.
fn is_damaged(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Unexpected | StoreErrorKind::Corrupt)
}

#[cfg(test)]
mod tests;
