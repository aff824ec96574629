//! The simulated table of tokens: keeps the port's laws under every fault. Clones are connections to one database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_kernel::{Admission, Clock, Epoch, FencingToken, StoreError};
use ttm_market::memory::TokenTable;
use ttm_market::{Added, Followed, Mint, Origin, Token, TokenStore};

use super::Defect;
use super::lease::SimLeases;
use super::store::{Ledger, Server};
use crate::{FaultKind, FaultSchedule, SimRuntime, StoreTable};

/// As if a list was imported in the evening and the service started in the morning.
const IMPORTED_BEFORE: Duration = Duration::from_hours(10);

/// The store.
#[derive(Clone, Debug)]
pub struct SimTokenStore {
    server: Server,
    database: Arc<Mutex<TokenTable>>,
    claims: Arc<Mutex<Claims>>,
    /// Decides who may claim an epoch, and checks the writes under it; `None` outside a [`World`](super::World).
    leases: Option<SimLeases>,
    /// Whether acknowledged states are compared with stored ones: only if the wall clock does not step, and only if
    /// there is a second process.
    is_watched: bool,
}

/// The tokens that processes found when they claimed their epochs.
#[derive(Debug, Default)]
struct Claims {
    found: BTreeMap<u32, Vec<Token>>,
    last: Option<(Epoch, Vec<Token>)>,
}

impl SimTokenStore {
    /// A store that holds these mints.
    pub fn new(mints: &[Mint], runtime: &SimRuntime, faults: &Arc<FaultSchedule>) -> Self {
        Self::beside(mints, runtime, faults, &Ledger::default(), None)
    }

    pub(super) fn beside(
        mints: &[Mint],
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        ledger: &Ledger,
        leases: Option<&SimLeases>,
    ) -> Self {
        let mut database = TokenTable::default();
        database.add(mints, runtime.wall() - IMPORTED_BEFORE);
        let server = Server::new(StoreTable::Tokens, runtime, faults, ledger);
        let has = |matches: fn(FaultKind) -> bool| faults.faults().iter().any(|fault| matches(fault.kind));
        let is_watched = has(|kind| kind == FaultKind::SecondProcess)
            && !has(|kind| matches!(kind, FaultKind::WallStep(_)));
        let (database, claims) = (Arc::new(Mutex::new(database)), Arc::default());
        Self { server, database, claims, leases: leases.cloned(), is_watched }
    }

    /// The tokens that a process found when it claimed its epoch.
    pub fn found_by(&self, process: u32) -> Vec<Token> {
        self.claims.lock().found.get(&process).cloned().unwrap_or_default()
    }

    fn grant(&self, process: u32) -> Result<Epoch, StoreError> {
        let (mut database, mut claims) = (self.database.lock(), self.claims.lock());
        let Some(leases) = &self.leases else { return Ok(database.claim()) };
        if !leases.admits(process) {
            return Err(StoreError::transient("this process does not hold the lease on the store"));
        }
        let epoch = match &claims.last {
            Some((last, _)) if leases.has(Defect::DuplicateEpoch) => *last,
            _ => database.claim(),
        };
        if let Some((_, tokens)) = claims.last.take().filter(|_| leases.has(Defect::LaggingReplica)) {
            database.save(FencingToken::first(epoch), &tokens)?;
        }
        let tokens = database.tokens();
        leases.claimed(process, epoch, self.is_watched.then_some(&tokens));
        claims.last = Some((epoch, tokens.clone()));
        claims.found.insert(process, tokens);
        Ok(epoch)
    }

    fn accept(&self, process: u32, under: FencingToken, tokens: &[Token]) -> Result<(), StoreError> {
        let Some(leases) = &self.leases else { return self.database.lock().save(under, tokens) };
        let mut database = self.database.lock();
        let fenced_as = leases.fenced_as(under, database.newest());
        database.save(fenced_as, tokens)?;
        drop(database);
        leases.wrote(process, under.epoch(), self.is_watched.then_some(tokens));
        Ok(())
    }

    /// Whether a write to another table is admitted, from a writer whose newest fencing token so far is `known`;
    /// bypasses the server and its faults.
    pub(super) fn admit(
        &self,
        process: u32,
        under: FencingToken,
        known: Option<FencingToken>,
    ) -> Result<Admission, StoreError> {
        let newest = self.database.lock().newest();
        let fenced_as = self.leases.as_ref().map_or(under, |leases| leases.fenced_as(under, newest));
        let admission = fenced_as.admit(newest, known)?;
        if let Some(leases) = &self.leases {
            leases.wrote(process, under.epoch(), None);
        }
        Ok(admission)
    }

    /// What is durable now; bypasses the server and its faults.
    pub fn durable(&self) -> Vec<Token> {
        self.database.lock().tokens()
    }
}

#[async_trait]
impl TokenStore for SimTokenStore {
    async fn claim(&self) -> Result<Epoch, StoreError> {
        let process = self.server.runtime().process();
        let epoch = self.server.write(|| self.grant(process)).await??;
        self.server.runtime().trace(format_args!("tokens are claimed under epoch {epoch}"));
        Ok(epoch)
    }

    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, StoreError> {
        self.server.read().await?;
        Ok(self.database.lock().load(after, limit))
    }

    async fn save(&self, under: FencingToken, tokens: &[Token]) -> Result<(), StoreError> {
        let process = self.server.runtime().process();
        self.server.write(|| self.accept(process, under, tokens)).await??;
        if let Some(leases) = self.leases.as_ref().filter(|_| self.is_watched) {
            leases.acknowledged(tokens);
        }
        self.server.runtime().trace(format_args!("store saves {} tokens", tokens.len()));
        Ok(())
    }

    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, StoreError> {
        Ok(self.server.write(|| self.database.lock().add(mints, at)).await?)
    }

    async fn remove(&self, mints: &[Mint]) -> Result<u64, StoreError> {
        Ok(self.server.write(|| self.database.lock().remove(mints)).await?)
    }

    async fn follow(
        &self,
        under: FencingToken,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError> {
        let process = self.server.runtime().process();
        let commit = || {
            let Some(leases) = &self.leases else {
                return self.database.lock().follow(under, origin, mints, at);
            };
            let mut database = self.database.lock();
            let fenced_as = leases.fenced_as(under, database.newest());
            let followed = database.follow(fenced_as, origin, mints, at)?;
            drop(database);
            leases.wrote(process, under.epoch(), None);
            Ok(followed)
        };
        self.server.write(commit).await?
    }

    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError> {
        self.server.read().await?;
        Ok(self.database.lock().owned(origin).collect())
    }

    async fn revision(&self, epoch: Epoch) -> Result<u64, StoreError> {
        self.server.read().await?;
        self.database.lock().revision(epoch)
    }
}
