//! How the simulated database takes a call, whichever table it is for: latency, faults, and the moment at which a write
//! is durable. It does not know what is written.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::{Clock, Entropy, Moment, Runtime, StoreError, StoreErrorKind};
use ttm_xoshiro_entropy::SeededEntropy;

use crate::{FaultSchedule, SimRuntime, StoreFault, StoreTable};

/// A call takes at least this; a write that long again to commit.
const LEAST_MS: u64 = 1;
/// And this much more at most, before it commits.
const SPREAD_MS: u64 = 8;

/// How long what was told before is remembered: longer than any look at it comes late.
const REMEMBERED: Duration = Duration::from_mins(2);

/// What a caller of a table was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Since when nothing else than failures.
    pub failing_since: Option<Moment>,
    /// What the last of these said, as its caller shows it; none when nobody waited to hear it.
    pub error: Option<String>,
    /// That its content is not what it must be, whatever it was told later: a writer leaves such a store alone.
    pub corrupt: bool,
}

/// What each process was told of reading and of writing a table, for the oracles.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Arc<Mutex<BTreeMap<Asked, Changes>>>);

/// What it was told since when, the newest last.
type Changes = VecDeque<(Moment, Told)>;

/// Which process asked which table, and whether it wrote.
type Asked = (u32, StoreTable, bool);

impl Ledger {
    /// What a process had been told of each table at a moment, reads before writes, and since when just that.
    pub(super) fn told(&self, process: u32, at: Moment) -> Vec<(StoreTable, bool, Moment, Told)> {
        let told = self.0.lock();
        let of_process = told.iter().filter(|(key, _)| key.0 == process);
        of_process
            .filter_map(|(key, changes)| {
                let (since, told) = changes.iter().rev().find(|(since, _)| *since <= at)?;
                Some((key.1, key.2, *since, told.clone()))
            })
            .collect()
    }

    /// Whether a process read or wrote anything but its lease.
    pub(super) fn touched(&self, process: u32) -> bool {
        self.0.lock().keys().any(|(asked, table, _)| *asked == process && *table != StoreTable::Lease)
    }

    fn note<T>(&self, call: &Heard<'_>, answer: &Result<T, StoreError>) {
        let now = call.server.runtime.now();
        let key = (call.process, call.server.table, call.writes);
        let mut ledger = self.0.lock();
        let changes = ledger.entry(key).or_default();
        let before = changes.back().map(|(_, told)| told.clone());
        let corrupt = before.as_ref().is_some_and(|told| told.corrupt);
        let told = match answer {
            // It was answered: the data was wrong, or the caller.
            Ok(_) => Told { failing_since: None, error: None, corrupt },
            Err(error)
                if matches!(error.kind(), StoreErrorKind::Rejected | StoreErrorKind::Fenced { .. }) =>
            {
                Told { failing_since: None, error: None, corrupt }
            }
            Err(error) => Told {
                failing_since: before.as_ref().and_then(|told| told.failing_since).or(Some(now)),
                error: call.is_over.then(|| error.said()),
                corrupt: corrupt || error.kind() == StoreErrorKind::Corrupt,
            },
        };
        if before.as_ref() != Some(&told) {
            changes.push_back((now, told));
        }
        while changes.get(1).is_some_and(|(since, _)| *since + REMEMBERED < now) {
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
    chance: Arc<SeededEntropy>,
}

impl Server {
    pub(super) fn new(
        table: StoreTable,
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        ledger: &Ledger,
    ) -> Self {
        Self {
            runtime: runtime.clone(),
            table,
            ledger: ledger.clone(),
            faults: faults.clone(),
            latency: runtime.stream("store latency"),
            chance: runtime.stream("store chance"),
        }
    }

    pub(super) fn runtime(&self) -> &SimRuntime {
        &self.runtime
    }

    /// A read: by the time that this comes back the server looks at its data.
    pub(super) async fn read(&self) -> Result<(), StoreError> {
        let mut call = Heard::new(self, false);
        let answer = self.arrive().await.map(drop);
        call.hears(&answer);
        answer
    }

    /// A write. `commit` makes it durable, and is called at most once; its caller may wait in vain to hear of it:
    /// when the connection breaks, or when the caller is killed or gives up between arrival and commit, in which case
    /// chance decides whether the server still commits.
    pub(super) async fn write<T>(&self, commit: impl FnOnce() -> T) -> Result<T, StoreError> {
        let mut call = Heard::new(self, true);
        let answer = self.try_write(commit).await;
        call.hears(&answer);
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
        let commit = arrived.commit.take().expect("the write is committed here alone");
        let answer = commit();
        if fault == Some(StoreFault::LostAcks) {
            self.pause().await;
            return Err(StoreError::transient("the connection was lost"));
        }
        self.runtime.yields().await;
        Ok(answer)
    }

    /// A process has written something by the way.
    pub(super) fn touch(&self) {
        self.ledger.0.lock().entry((self.runtime.process(), StoreTable::Tokens, true)).or_default();
    }

    /// Whether the table takes a row with this identity now.
    pub(super) fn takes(&self, row: &impl std::fmt::Debug) -> Result<(), StoreError> {
        match self.faults.store(self.table, self.runtime.now()) {
            Some((StoreFault::Rejects(share), _)) if hash(row) % 100 < u64::from(share) => {
                Err(StoreError::rejected(format!("22P05 {row:?} has no equivalent in encoding LATIN1")))
            }
            _ => Ok(()),
        }
    }

    /// Brings a request to the server; what is wrong with that, other than that it cannot be reached.
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
        let micros = LEAST_MS * 1_000 + self.latency.below(SPREAD_MS * 1_000);
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
            && self.server.chance.below(2) == 0
        {
            drop(commit());
        }
    }
}

/// A call of which its caller hears; one that it gives up has failed for it.
struct Heard<'a> {
    server: &'a Server,
    process: u32,
    writes: bool,
    is_over: bool,
}

impl<'a> Heard<'a> {
    fn new(server: &'a Server, writes: bool) -> Self {
        Self { server, process: server.runtime.process(), writes, is_over: false }
    }

    fn hears<T>(&mut self, answer: &Result<T, StoreError>) {
        self.is_over = true;
        self.server.ledger.note(self, answer);
    }
}

impl Drop for Heard<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let given_up: Result<(), _> = Err(StoreError::transient("no answer"));
            self.server.ledger.note(self, &given_up);
        }
    }
}

/// The same for equal rows in every run; FNV-1a over what a row shows of itself.
fn hash(row: &impl std::fmt::Debug) -> u64 {
    let fold = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = format!("{row:?}").bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    hash ^ (hash >> 32)
}
