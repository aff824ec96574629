//! How the simulated database handles a call to any table: latency, faults, and the moment at which a write becomes
//! durable. A write commits at one instant, with awaits before and after it, so a caller that is killed or gives up
//! can leave it on either side.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::{Clock, Entropy, Moment, Runtime, StoreError, StoreErrorKind};
use ttm_xoshiro_entropy::SeededEntropy;

use crate::{FaultSchedule, SimRuntime, StoreFault, StoreTable};

/// The shortest latency of a call; a write takes another latency to commit.
const MIN_LATENCY_MS: u64 = 1;
/// How much longer a latency may be.
const LATENCY_SPREAD_MS: u64 = 8;

/// How long earlier states are kept: longer than an oracle ever looks back.
const RETENTION: Duration = Duration::from_mins(2);

/// How a process's reads or writes of a table went last, from its point of view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UseState {
    /// Since when every call has failed; `None` if the last one was answered.
    pub failing_since: Option<Moment>,
    /// The last error, as its caller reports it; `None` if the caller gave the call up before.
    pub error: Option<String>,
    /// Whether any call reported damage, whatever came later: a writer stops using such a store.
    pub corrupt: bool,
}

/// How each process's reads and writes of each table went, for the oracles.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Arc<Mutex<BTreeMap<Use, Changes>>>);

/// The states and since when each held, the newest last.
type Changes = VecDeque<(Moment, UseState)>;

/// The process, the table, and whether it was written.
type Use = (u32, StoreTable, bool);

impl Ledger {
    /// The state of each use of a process at a moment, reads before writes, and since when it held.
    pub(super) fn states(&self, process: u32, at: Moment) -> Vec<(StoreTable, bool, Moment, UseState)> {
        let uses = self.0.lock();
        let of_process = uses.iter().filter(|(key, _)| key.0 == process);
        of_process
            .filter_map(|(key, changes)| {
                let (since, state) = changes.iter().rev().find(|(since, _)| *since <= at)?;
                Some((key.1, key.2, *since, state.clone()))
            })
            .collect()
    }

    /// Whether a process read or wrote any table except the lease.
    pub(super) fn touched(&self, process: u32) -> bool {
        self.0.lock().keys().any(|(caller, table, _)| *caller == process && *table != StoreTable::Lease)
    }

    fn note<T>(&self, call: &Call<'_>, answer: &Result<T, StoreError>) {
        let now = call.server.runtime.now();
        let key = (call.process, call.server.table, call.writes);
        let mut ledger = self.0.lock();
        let changes = ledger.entry(key).or_default();
        let before = changes.back().map(|(_, state)| state.clone());
        let corrupt = before.as_ref().is_some_and(|state| state.corrupt);
        let state = match answer {
            // A rejected or fenced write was answered, too: what was wrong is the data, or the caller.
            Ok(_) => UseState { failing_since: None, error: None, corrupt },
            Err(error)
                if matches!(error.kind(), StoreErrorKind::Rejected | StoreErrorKind::Fenced { .. }) =>
            {
                UseState { failing_since: None, error: None, corrupt }
            }
            Err(error) => UseState {
                failing_since: before.as_ref().and_then(|state| state.failing_since).or(Some(now)),
                error: call.is_over.then(|| error.said()),
                corrupt: corrupt || error.kind() == StoreErrorKind::Corrupt,
            },
        };
        if before.as_ref() != Some(&state) {
            changes.push_back((now, state));
        }
        while changes.get(1).is_some_and(|(since, _)| *since + RETENTION < now) {
            changes.pop_front();
        }
    }
}

/// The server behind one table.
#[derive(Clone, Debug)]
pub(super) struct Server {
    runtime: SimRuntime,
    table: StoreTable,
    ledger: Ledger,
    faults: Arc<FaultSchedule>,
    latency: Arc<SeededEntropy>,
    commits: Arc<SeededEntropy>,
}

impl Server {
    pub(super) fn new(
        table: StoreTable,
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        ledger: &Ledger,
    ) -> Self {
        // The ledger draws from streams of its own, so that what is recorded shifts nothing else.
        let (latency, commits) = match table {
            StoreTable::Recoveries => ("ledger latency", "ledger chance"),
            StoreTable::Alerts => ("alerts latency", "alerts chance"),
            _ => ("store latency", "store chance"),
        };
        Self {
            runtime: runtime.clone(),
            table,
            ledger: ledger.clone(),
            faults: faults.clone(),
            latency: runtime.stream(latency),
            commits: runtime.stream(commits),
        }
    }

    pub(super) fn runtime(&self) -> &SimRuntime {
        &self.runtime
    }

    /// A read: the server looks at its data when this returns.
    pub(super) async fn read(&self) -> Result<(), StoreError> {
        let mut call = Call::new(self, false);
        let answer = self.arrive().await.map(drop);
        call.finish(&answer);
        answer
    }

    /// A write. `commit` makes it durable, and is called at most once. The caller may not learn of a commit: when the
    /// connection breaks, or when the caller is killed or gives up between arrival and commit, in which case it is
    /// random whether the server still commits.
    pub(super) async fn write<T>(&self, commit: impl FnOnce() -> T) -> Result<T, StoreError> {
        let mut call = Call::new(self, true);
        let answer = self.try_write(commit).await;
        call.finish(&answer);
        answer
    }

    async fn try_write<T>(&self, commit: impl FnOnce() -> T) -> Result<T, StoreError> {
        let mut arrived = Arrived { server: self, commit: Some(commit) };
        let fault = self.arrive().await.inspect_err(|_| arrived.commit = None)?;
        let refusal = match fault {
            Some(StoreFault::Full) => Some("no space left on the device"),
            Some(StoreFault::Busy) => Some("database is locked"),
            Some(StoreFault::ReadOnly) => Some("25006 cannot execute INSERT in a read-only transaction"),
            _ => None,
        };
        if let Some(message) = refusal {
            arrived.commit = None;
            return Err(StoreError::transient(message));
        }
        self.pause().await;
        let commit = arrived.commit.take().expect("only this commits the write");
        let answer = commit();
        if fault == Some(StoreFault::LostAcks) {
            self.pause().await;
            return Err(StoreError::transient("the connection was lost"));
        }
        self.runtime.yields().await;
        Ok(answer)
    }

    /// Records a write to the tokens that bypasses the server.
    pub(super) fn touch(&self) {
        self.ledger.0.lock().entry((self.runtime.process(), StoreTable::Tokens, true)).or_default();
    }

    /// Whether the table accepts a row with this identity now.
    ///
    /// # Errors
    /// The rejection.
    pub(super) fn accepts(&self, row: &impl std::fmt::Debug) -> Result<(), StoreError> {
        match self.faults.store(self.table, self.runtime.now()) {
            Some((StoreFault::Rejects(share), _)) if hash(row) % 100 < u64::from(share) => {
                Err(StoreError::rejected(format!("22P05 {row:?} has no equivalent in encoding LATIN1")))
            }
            _ => Ok(()),
        }
    }

    /// Delivers a request to the server: an error if it cannot be served, or the fault under which it is.
    async fn arrive(&self) -> Result<Option<StoreFault>, StoreError> {
        self.runtime.yields().await;
        self.pause().await;
        let Some((fault, until)) = self.faults.store(self.table, self.runtime.now()) else { return Ok(None) };
        match fault {
            StoreFault::Gone => return Err(StoreError::transient("connection refused")),
            StoreFault::NoRight => {
                let message = format!("42501 permission denied for table {}", self.table.as_str());
                return Err(StoreError::missing(message));
            }
            StoreFault::Unexpected => {
                return Err(StoreError::unexpected("no such column: epoch").with_code("SQLITE_ERROR, 1"));
            }
            StoreFault::Corrupt => return Err(StoreError::corrupt("database disk image is malformed")),
            StoreFault::Hang => self.runtime.sleep_until(until).await,
            StoreFault::LostAcks
            | StoreFault::Full
            | StoreFault::Busy
            | StoreFault::ReadOnly
            | StoreFault::Rejects(_) => {}
        }
        Ok(Some(fault))
    }

    async fn pause(&self) {
        let micros = MIN_LATENCY_MS * 1_000 + self.latency.below(LATENCY_SPREAD_MS * 1_000);
        self.runtime.sleep_until(self.runtime.now() + Duration::from_micros(micros)).await;
    }
}

/// A write between its departure and its commit.
struct Arrived<'a, T, C: FnOnce() -> T> {
    server: &'a Server,
    commit: Option<C>,
}

impl<T, C: FnOnce() -> T> Drop for Arrived<'_, T, C> {
    fn drop(&mut self) {
        if let Some(commit) = self.commit.take()
            && self.server.commits.below(2) == 0
        {
            drop(commit());
        }
    }
}

/// A call in progress. It is recorded when it ends; one that its caller drops has failed.
struct Call<'a> {
    server: &'a Server,
    process: u32,
    writes: bool,
    is_over: bool,
}

impl<'a> Call<'a> {
    fn new(server: &'a Server, writes: bool) -> Self {
        Self { server, process: server.runtime.process(), writes, is_over: false }
    }

    fn finish<T>(&mut self, answer: &Result<T, StoreError>) {
        self.is_over = true;
        self.server.ledger.note(self, answer);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let given_up: Result<(), _> = Err(StoreError::transient("no answer"));
            self.server.ledger.note(self, &given_up);
        }
    }
}

/// FNV-1a over the debug text of a row, so that equal rows have equal hashes in every run.
fn hash(row: &impl std::fmt::Debug) -> u64 {
    let fold = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = format!("{row:?}").bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    hash ^ (hash >> 32)
}
