//! Recoveries on their way into the ledger, and what the ledger said at the start.
//!
//! An entry is stored before what it says is done, if the store answers within a second; else it waits here, and is stored when the
//! store is back. What it says is done all the same: a store that is away must not keep a stuck group stuck. What ends the process
//! also goes into a local file, so that no step that costs a budget is forgotten with the memory; and so does what a stop cannot
//! store, so that the next process does not take it for a death.

use std::collections::VecDeque;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::oneshot::{self, error::TryRecvError};
use ttm_kernel::{Epoch, FencingToken, Moment, Runtime, StoreError, StoreErrorKind};
use ttm_recovery::{
    Entry, EntryKey, Fact, LEDGER_KEEPS, LastWords, Now, RECOVERIES_SHOWN, Recoveries, RecoveryLedger, Step,
};

use crate::board::Board;
use crate::bounded::{timed_out, while_awake};
use crate::io::Owned;
use crate::local_file::{Disk, LocalFile};
use crate::ports::Ports;
use crate::stores::StoreUse;

mod past;
mod waiting;

pub(crate) use past::Found;
use past::{Reader, Reading};
use waiting::{bound_evidence, lighten, surplus, without_evidence, without_words};

/// A step waits this long for the store at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// What waits is tried again after this.
const RETRY: Duration = Duration::from_secs(5);
/// So many entries are stored at once: what waits after a long time without the store is too much for one call.
const CHUNK: usize = 200;
/// So much evidence waits, in bytes: all that may wait could have ten times as much.
const EVIDENCE_WAITS: usize = 4 << 20;
/// So many go into the local file: they fit into it with room for those of the end.
const FILE_TAKES: usize = 500;

/// The ledger as the supervisor writes it.
pub(crate) struct Ledger {
    port: Arc<dyn RecoveryLedger>,
    words: LocalFile<dyn LastWords>,
    io: Arc<dyn Runtime>,
    board: Arc<Board>,
    under: FencingToken,
    /// What is not stored yet, oldest first.
    waiting: VecDeque<Entry>,
    /// So many of it are stored at once: fewer while the store refuses one of them.
    chunk: usize,
    retry_at: Moment,
    /// The last entry that the file holds, which the ledger may not have.
    in_file: Option<EntryKey>,
    /// Whether what the processes before did is still to be read, and when that is tried again.
    is_unread: bool,
    recall_at: Moment,
    recalling: Option<Recalling>,
    /// The store's word that another process took over.
    fenced: Option<StoreError>,
    /// The last recoveries, for readers.
    pub(crate) shown: Arc<Mutex<Recoveries>>,
}

/// A reading that is under way on the io plane.
struct Recalling {
    _task: Owned,
    answer: oneshot::Receiver<Reading>,
}

impl Ledger {
    pub(crate) fn new(
        ports: &Ports,
        board: &Arc<Board>,
        io: &Arc<dyn Runtime>,
        disk: &Disk,
        epoch: Epoch,
    ) -> Self {
        Self {
            port: ports.ledger.clone(),
            words: disk.file(ports.last_words.clone()),
            io: io.clone(),
            board: board.clone(),
            under: FencingToken::first(epoch),
            waiting: VecDeque::new(),
            chunk: CHUNK,
            retry_at: Moment::ZERO,
            in_file: None,
            is_unread: false,
            recall_at: Moment::ZERO,
            recalling: None,
            fenced: None,
            shown: Arc::new(Mutex::new(Recoveries::new(RECOVERIES_SHOWN))),
        }
    }

    /// What the processes before did. While that cannot be read every budget counts as spent: better a person too early than a restart
    /// too many. A ledger that is damaged is set aside; one that is away is read once it is back.
    pub(crate) async fn read(&mut self, now: Now) -> Found {
        let reading = self.reader().first(now).await;
        let found = self.take(reading);
        if let Some(problem) = found.problem.as_ref().filter(|_| found.is_unread) {
            tracing::warn!(problem, "the record of earlier restarts is not read yet");
        }
        found
    }

    /// What the processes before did, if that could not be read so far and now can. Never waits: a ledger that is away, or slow, keeps
    /// nobody from watching the parts.
    pub(crate) fn recall(&mut self, now: Now) -> Option<Found> {
        if !self.is_unread {
            return None;
        }
        let Some(recalling) = &mut self.recalling else {
            if self.io.now() >= self.recall_at {
                self.recalling = Some(self.begin(now));
            }
            return None;
        };
        let reading = match recalling.answer.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Closed) => None,
            Ok(reading) => Some(reading),
        };
        self.recalling = None;
        self.recall_at = self.io.now() + RETRY;
        reading.filter(|reading| !reading.found.is_unread).map(|reading| self.take(reading))
    }

    fn begin(&self, now: Now) -> Recalling {
        let (sender, answer) = oneshot::channel();
        let reader = self.reader();
        // Of no use once this ledger is gone.
        let read = Box::pin(async move { drop(sender.send(reader.again(now).await)) });
        Recalling { _task: Owned(self.io.spawn("ledger", read)), answer }
    }

    fn reader(&self) -> Reader {
        let (port, words, io) = (self.port.clone(), self.words.clone(), self.io.clone());
        Reader { port, words, io, under: self.under }
    }

    fn take(&mut self, Reading { found, entries, kept }: Reading) -> Found {
        let mut shown = self.shown.lock();
        for entry in &entries {
            shown.add(entry);
        }
        drop(shown);
        self.in_file = self.in_file.or(kept.last().map(|entry| entry.key));
        for entry in kept.into_iter().rev() {
            self.waiting.push_front(entry);
        }
        self.is_unread = found.is_unread;
        self.recall_at = self.io.now() + RETRY;
        found
    }

    /// Has an entry wait for the store.
    pub(crate) fn add(&mut self, entry: Entry) {
        self.shown.lock().add(&entry);
        self.waiting.push_back(entry);
        let surplus = surplus(self.waiting.iter(), LEDGER_KEEPS);
        if !surplus.is_empty() {
            self.waiting.retain(|entry| !surplus.contains(&entry.recovery));
        }
        bound_evidence(&mut self.waiting, EVIDENCE_WAITS);
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

    /// Puts what waits into the local file: the ledger may never get it. The file is small, so it takes no evidence but that of what ends
    /// the process.
    async fn keep(&mut self, patience: Duration) {
        let Some(newest) = self.waiting.back().map(|entry| (entry.key, entry.recovery)) else { return };
        let is_new = |entry: &&Entry| self.in_file.is_none_or(|last| entry.key > last);
        let kept = |entry: &Entry| match entry {
            // It would be refused, and all with it.
            entry if entry.check().is_err() => without_words(entry),
            entry if entry.recovery == newest.1 => entry.clone(),
            entry => without_evidence(entry),
        };
        let mut entries: Vec<Entry> =
            self.waiting.iter().filter(is_new).map(kept).filter(|entry| entry.check().is_ok()).collect();
        let surplus = surplus(entries.iter(), FILE_TAKES);
        entries.retain(|entry| !surplus.contains(&entry.recovery));
        let write = self.words.call(patience, move |words| {
            loop {
                match words.write(&entries) {
                    Err(error) if error.kind() == io::ErrorKind::FileTooLarge && lighten(&mut entries) => {}
                    written => return written,
                }
            }
        });
        match write.await {
            Some(Ok(())) => self.in_file = Some(newest.0),
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

    /// The store's word that another process took over, if it has given it.
    pub(crate) const fn fenced(&self) -> Option<&StoreError> {
        self.fenced.as_ref()
    }

    /// Stores what waits, if it is time to try.
    pub(crate) async fn tend(&mut self) {
        if !self.waiting.is_empty() && self.io.now() >= self.retry_at {
            self.store(PATIENCE).await;
        }
    }

    /// Stores what waits, as much of it as there is time for. Whether nothing waits any more.
    pub(crate) async fn store(&mut self, patience: Duration) -> bool {
        let deadline = self.io.now() + patience;
        let mut gets_on = false;
        while !self.waiting.is_empty() {
            let (now, wall) = (self.io.now(), self.io.wall());
            if self.board.stores.may_ask(StoreUse::Recoveries, now, wall).is_err() {
                return false;
            }
            let entries: Vec<Entry> = self.waiting.iter().take(self.chunk).cloned().collect();
            let append = caught(self.port.append(self.under, &entries));
            let stored = match while_awake(&*self.io, deadline, append).await {
                // The time is over, and the store is not away.
                Err(_) if gets_on => return false,
                stored => stored.unwrap_or_else(|_| Err(timed_out(patience))),
            };
            if !self.answered(stored, entries.len()) {
                return self.waiting.is_empty();
            }
            gets_on = true;
        }
        // What is not read yet is not stored, either.
        if self.in_file.is_some() && !self.is_unread {
            match self.words.call(deadline - self.io.now(), LastWords::clear).await {
                Some(Err(error)) => tracing::warn!(%error, "the file of last words cannot be cleared"),
                Some(Ok(())) | None => self.in_file = None,
            }
        }
        true
    }

    /// What became of the first entries that wait. Whether the store answers, so that it can be asked for more.
    fn answered(&mut self, stored: Result<(), StoreError>, count: usize) -> bool {
        let now = self.io.now();
        match stored {
            Ok(()) => {
                self.waiting.drain(..count);
                self.chunk = (2 * self.chunk).min(CHUNK);
                self.board.stores.answered(StoreUse::Recoveries, now);
                return true;
            }
            Err(error) if error.kind() == StoreErrorKind::Rejected => {
                // One of them is refused, and all of them with it.
                self.chunk = (count / 2).max(1);
                if count == 1 {
                    self.refused(&error);
                }
                return true;
            }
            Err(error) => {
                self.board.stores.failed(StoreUse::Recoveries, &error, now, self.io.wall());
                self.retry_at = now + RETRY.max(error.retry_after().unwrap_or_default());
                if let StoreErrorKind::Fenced { .. } = error.kind() {
                    self.fenced = Some(error);
                }
            }
        }
        false
    }

    /// The store refuses the first entry that waits: it is stored without its words, or else lost, and no other one with it.
    fn refused(&mut self, error: &StoreError) {
        let Some(entry) = self.waiting.pop_front() else { return };
        let Entry { key, recovery, subject, fact, .. } = &entry;
        let (id, part, kind) = (recovery.to_string(), subject, fact.kind());
        let plain = without_words(&entry);
        if plain == entry {
            // Without its beginning the rest of a recovery could not be replayed.
            self.waiting.retain(|other| other.recovery != *recovery);
            tracing::error!(%error, %key, id, part, kind, "the store refuses an entry on a recovery; it is dropped");
        } else {
            tracing::error!(%error, %key, id, part, kind, "the store refuses an entry on a recovery; it is stored without its words");
            self.waiting.push_front(plain);
        }
    }
}

/// What records restarts must not need one.
async fn caught<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let ended = AssertUnwindSafe(call).catch_unwind().await;
    ended.unwrap_or_else(|_| Err(StoreError::unexpected("the ledger's adapter panicked")))
}

#[cfg(test)]
mod tests;
