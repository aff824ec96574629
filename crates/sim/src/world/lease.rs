//! The lease on the simulated store, in both kinds that production has: a lock file, which a process holds for as
//! long as it lives, and a row in the database, which expires and can then be taken over. Each grant and renewal is
//! one transaction, and the succession oracle checks every grant.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_kernel::{Clock, Epoch, FencingToken, LeaseError, Moment, StoreError, StoreLease};
use ttm_market::Token;

use super::store::Server;
use super::{Defect, Defects};
use crate::SimRuntime;
use crate::oracle::{Succession, Verdicts};

/// How long a grant or a renewal of a row lasts.
const TTL: Duration = Duration::from_secs(15);
/// Subtracted from the TTL by the holder, which so stops relying on its lease before the row expires.
const MARGIN: Duration = Duration::from_secs(1);
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// How a lease is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseKind {
    /// A lock on a file, as with SQLite: it does not need the store, never expires, and is free once its process is
    /// dead.
    LockFile,
    /// A row of the database, as with PostgreSQL: it fails with the store, and is free once it has expired, or once
    /// its process is dead and the requesting process runs on the same host.
    Row,
}

impl LeaseKind {
    /// Even seeds use a lock file, odd ones a row.
    pub const fn of(seed: u64) -> Self {
        if seed.is_multiple_of(2) { Self::LockFile } else { Self::Row }
    }
}

/// The lease of a store.
#[derive(Clone, Debug)]
pub struct SimLeases {
    kind: LeaseKind,
    server: Server,
    succession: Arc<Succession>,
    verdicts: Arc<Verdicts>,
    defects: Defects,
    row: Arc<Mutex<Option<Row>>>,
}

#[derive(Debug)]
struct Row {
    process: u64,
    /// The host that it runs on.
    host: u32,
    /// Alive exactly as long as the process.
    alive: Weak<()>,
    until: Moment,
}

impl SimLeases {
    pub(super) fn new(
        kind: LeaseKind,
        server: Server,
        succession: &Arc<Succession>,
        verdicts: &Arc<Verdicts>,
        defects: &Defects,
    ) -> Self {
        let (succession, verdicts, defects) = (succession.clone(), verdicts.clone(), defects.clone());
        Self { kind, server, succession, verdicts, defects, row: Arc::default() }
    }

    /// The lease as a process on a host sees it.
    pub fn of(&self, process: u64, host: u32, runtime: &SimRuntime) -> SimLease {
        let (leases, runtime) = (self.clone(), runtime.clone());
        SimLease { process, host, leases, runtime, alive: Arc::new(()), stands_until: Mutex::default() }
    }

    /// The process that holds it, or held it last.
    pub fn holder(&self) -> Option<u64> {
        self.row.lock().as_ref().map(|row| row.process)
    }

    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defects.has(defect)
    }

    /// The fencing token that the store checks for a write under `under`.
    pub(super) fn fenced_as(&self, under: FencingToken, newest: Epoch) -> FencingToken {
        if self.has(Defect::NoFencing) { FencingToken::new(newest, under.incarnation()) } else { under }
    }

    /// Checks a process's claim of an epoch, and the tokens that it found, if they are watched.
    pub(super) fn claimed(&self, process: u32, epoch: Epoch, tokens: Option<&Vec<Token>>) {
        self.verdicts.check(self.succession.claimed(process, epoch, self.server.runtime().now()));
        if let Some(tokens) = tokens {
            self.verdicts.check(self.succession.stored(tokens));
        }
    }

    /// Checks an accepted write under an epoch, and its tokens, if they are watched.
    pub(super) fn wrote(&self, process: u32, epoch: Epoch, tokens: Option<&[Token]>) {
        self.verdicts.check(self.succession.wrote(process, epoch));
        if let Some(tokens) = tokens {
            self.verdicts.check(self.succession.stored(tokens));
        }
    }

    /// Records that a write was acknowledged to its caller.
    pub(super) fn acknowledged(&self, tokens: &[Token]) {
        self.succession.acknowledged(tokens);
    }

    /// Whether this process may claim an epoch. With a lock file no check is needed: only its holder gets this far.
    pub(super) fn admits(&self, process: u32) -> bool {
        let any = self.kind == LeaseKind::LockFile || process == 0;
        any || self.defects.has(Defect::LeaseForAll) || self.holder() == Some(process.into())
    }
}

/// The lease as one process sees it.
#[derive(Debug)]
pub struct SimLease {
    process: u64,
    host: u32,
    leases: SimLeases,
    runtime: SimRuntime,
    alive: Arc<()>,
    stands_until: Mutex<Option<Moment>>,
}

impl SimLease {
    async fn take(&self, renews: bool) -> Result<(), LeaseError> {
        let SimLeases { kind, server, succession, .. } = &self.leases;
        let begun = self.runtime.now();
        // Recorded when it ends, also if the caller drops it.
        let attempt = Attempt { lease: self };
        let (taken, until) = match kind {
            LeaseKind::LockFile => {
                self.runtime.yields().await;
                (self.transact(renews), Moment::MAX)
            }
            LeaseKind::Row => {
                (server.write(|| self.transact(renews)).await?, begun + TTL.saturating_sub(MARGIN))
            }
        };
        *self.stands_until.lock() = taken.is_ok().then_some(until);
        if taken.is_ok() {
            succession.holds_until(self.process, until, self.runtime.now());
        }
        drop(attempt);
        taken
    }

    /// One transaction that grants or renews the lease.
    fn transact(&self, renews: bool) -> Result<(), LeaseError> {
        let SimLeases { kind, succession, verdicts, defects, .. } = &self.leases;
        let now = self.runtime.now();
        let mut row = self.leases.row.lock();
        let other = row.as_ref().filter(|row| row.process != self.process);
        let is_held = |row: &&Row| match kind {
            LeaseKind::LockFile => row.alive.strong_count() > 0,
            LeaseKind::Row => now < row.until && (row.host != self.host || row.alive.strong_count() > 0),
        };
        let is_open = defects.has(Defect::LeaseForAll);
        if let Some(other) = other.filter(|row| !is_open && (renews || is_held(row))) {
            let named = !defects.has(Defect::AnonymousRefusal);
            let holder = if named { format!("process {}", other.process) } else { "unknown".to_owned() };
            if renews {
                return Err(LeaseError::Lost { holder: Some(holder) });
            }
            if defects.has(Defect::WriteBeforeLease) {
                self.leases.server.touch();
            }
            succession.refused(self.process);
            // If it is known whether the holder lives, its expiry does not matter.
            let is_unknown = *kind == LeaseKind::Row && other.host != self.host;
            let until = is_unknown.then(|| Timestamp::UNIX_EPOCH + other.until.since_origin());
            return Err(LeaseError::Held { holder, until });
        }
        if renews && row.is_none() {
            return Err(LeaseError::Lost { holder: None });
        }
        if row.as_ref().is_none_or(|row| row.process != self.process) {
            self.runtime.trace(format_args!("the lease goes to process {}", self.process));
            verdicts.check(succession.granted(self.process, now));
        }
        let alive = Arc::downgrade(&self.alive);
        *row = Some(Row { process: self.process, host: self.host, alive, until: now + TTL });
        Ok(())
    }

    fn free(&self) {
        let mut row = self.leases.row.lock();
        if row.as_ref().is_some_and(|row| row.process == self.process) {
            *row = None;
        }
    }
}

/// An attempt to acquire or renew the lease; after it the process knows whether it holds it.
struct Attempt<'a> {
    lease: &'a SimLease,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.lease.leases.succession.attempted(self.lease.process, self.lease.runtime.now());
    }
}

#[async_trait]
impl StoreLease for SimLease {
    async fn acquire(&self) -> Result<(), LeaseError> {
        self.take(false).await
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        self.take(true).await
    }

    async fn release(&self) -> Result<(), StoreError> {
        *self.stands_until.lock() = None;
        self.leases.succession.released(self.process);
        match self.leases.kind {
            LeaseKind::LockFile => {
                self.runtime.yields().await;
                self.free();
                Ok(())
            }
            LeaseKind::Row => self.leases.server.write(|| self.free()).await,
        }
    }

    fn stands(&self) -> bool {
        self.stands_until.lock().is_some_and(|until| self.runtime.now() < until)
    }

    fn renew_every(&self) -> Duration {
        RENEW_EVERY
    }
}
