//! The lease on the simulated store, in both kinds that production has: a lock file, which its process holds for as long as
//! it lives, and a row in the database, which runs out and is taken over. It does not know who asks for it twice.

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
/// So much less than the row says is believed.
const MARGIN: Duration = Duration::from_secs(1);
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// What a lease is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseKind {
    /// A lock on a file, as beside SQLite: it needs no store, runs out never, and is free when its process is dead.
    LockFile,
    /// A row of the database, as in PostgreSQL: it fails with the store, and is free when it has run out, or when its
    /// process is dead on the machine of the one that asks.
    Row,
}

impl LeaseKind {
    /// Half of all seeds have one, half the other.
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
    /// The machine that it runs on.
    host: u32,
    /// What lives exactly as long as the process.
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

    /// The lease as the process of this number sees it, from a machine.
    pub fn of(&self, process: u64, host: u32, runtime: &SimRuntime) -> SimLease {
        let (leases, runtime) = (self.clone(), runtime.clone());
        SimLease { process, host, leases, runtime, alive: Arc::new(()), stands_until: Mutex::default() }
    }

    /// Who has it, or had it last.
    pub fn holder(&self) -> Option<u64> {
        self.row.lock().as_ref().map(|row| row.process)
    }

    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defects.has(defect)
    }

    /// The token as which the store takes a write under this one.
    pub(super) fn fenced_as(&self, under: FencingToken, newest: Epoch) -> FencingToken {
        if self.has(Defect::NoFence) { FencingToken::new(newest, under.incarnation()) } else { under }
    }

    /// A process claimed an epoch, and found these tokens if they are watched.
    pub(super) fn claimed(&self, process: u32, epoch: Epoch, tokens: Option<&Vec<Token>>) {
        self.verdicts.check(self.succession.claimed(process, epoch, self.server.runtime().now()));
        if let Some(tokens) = tokens {
            self.verdicts.check(self.succession.stored(tokens));
        }
    }

    /// A write under an epoch was accepted, of these tokens if they are watched.
    pub(super) fn wrote(&self, process: u32, epoch: Epoch, tokens: Option<&[Token]>) {
        self.verdicts.check(self.succession.wrote(process, epoch));
        if let Some(tokens) = tokens {
            self.verdicts.check(self.succession.stored(tokens));
        }
    }

    /// The caller of a write has heard that it is durable.
    pub(super) fn acknowledged(&self, tokens: &[Token]) {
        self.succession.acknowledged(tokens);
    }

    /// Whether an epoch is granted to this process. A lock file needs no look: nobody else gets as far.
    pub(super) fn admits(&self, process: u32) -> bool {
        let any = self.kind == LeaseKind::LockFile || process == 0;
        any || self.defects.has(Defect::LeaseForAnybody) || self.holder() == Some(process.into())
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
    async fn take(&self, lost: bool) -> Result<(), LeaseError> {
        let SimLeases { kind, server, succession, .. } = &self.leases;
        let begun = self.runtime.now();
        // Whatever comes of it, and when the caller gives it up, too.
        let asked = Asked { lease: self };
        let (taken, until) = match kind {
            LeaseKind::LockFile => {
                self.runtime.yields().await;
                (self.look(lost), Moment::MAX)
            }
            LeaseKind::Row => (server.write(|| self.look(lost)).await?, begun + TTL.saturating_sub(MARGIN)),
        };
        *self.stands_until.lock() = taken.is_ok().then_some(until);
        if taken.is_ok() {
            succession.told(self.process, until);
        }
        drop(asked);
        taken
    }

    /// One transaction.
    fn look(&self, lost: bool) -> Result<(), LeaseError> {
        let SimLeases { kind, succession, verdicts, defects, .. } = &self.leases;
        let now = self.runtime.now();
        let mut row = self.leases.row.lock();
        let other = row.as_ref().filter(|row| row.process != self.process);
        let is_held = |row: &&Row| match kind {
            LeaseKind::LockFile => row.alive.strong_count() > 0,
            LeaseKind::Row => now < row.until && (row.host != self.host || row.alive.strong_count() > 0),
        };
        let is_open = defects.has(Defect::LeaseForAnybody);
        if let Some(other) = other.filter(|row| !is_open && (lost || is_held(row))) {
            let named = !defects.has(Defect::NamelessRefusal);
            let holder = if named { format!("process {}", other.process) } else { "somebody".to_owned() };
            if lost {
                return Err(LeaseError::Lost { holder: Some(holder) });
            }
            if defects.has(Defect::WriteBeforeLease) {
                self.leases.server.touch();
            }
            succession.refused(self.process);
            // Where it can be told whether the holder lives, nothing is waited for.
            let is_unknown = *kind == LeaseKind::Row && other.host != self.host;
            let until = is_unknown.then(|| Timestamp::UNIX_EPOCH + other.until.since_origin());
            return Err(LeaseError::Held { holder, until });
        }
        if lost && row.is_none() {
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

    fn give_up(&self) {
        let mut row = self.leases.row.lock();
        if row.as_ref().is_some_and(|row| row.process == self.process) {
            *row = None;
        }
    }
}

/// An attempt: the process has had word of its lease when it is over.
struct Asked<'a> {
    lease: &'a SimLease,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.lease.leases.succession.asked(self.lease.process, self.lease.runtime.now());
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
                self.give_up();
                Ok(())
            }
            LeaseKind::Row => self.leases.server.write(|| self.give_up()).await,
        }
    }

    fn stands(&self) -> bool {
        self.stands_until.lock().is_some_and(|until| self.runtime.now() < until)
    }

    fn renew_every(&self) -> Duration {
        RENEW_EVERY
    }
}
