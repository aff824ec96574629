//! The simulated table of tokens: keeps the port's laws under every fault. Clones are connections to one database.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Clock, Epoch, StoreError};
use ttm_market::testing::TokenTable;
use ttm_market::{Added, Followed, Mint, Origin, Token, TokenStore};

use super::store::{Ledger, Server};
use crate::executor::lock;
use crate::{FaultSchedule, SimRuntime, StoreTable};

/// The store.
#[derive(Clone, Debug)]
pub struct SimTokenStore {
    server: Server,
    database: Arc<Mutex<TokenTable>>,
}

impl SimTokenStore {
    /// A store that holds these mints.
    pub fn new(mints: &[Mint], runtime: &SimRuntime, faults: &Arc<FaultSchedule>) -> Self {
        Self::beside(mints, runtime, faults, &Ledger::default())
    }

    pub(super) fn beside(
        mints: &[Mint],
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        ledger: &Ledger,
    ) -> Self {
        let mut database = TokenTable::default();
        database.add(mints, runtime.wall());
        let server = Server::new(StoreTable::Tokens, runtime, faults, ledger);
        Self { server, database: Arc::new(Mutex::new(database)) }
    }

    /// Whether a newer writer took over, without asking the server.
    pub(super) fn is_fenced(&self, epoch: Epoch) -> bool {
        lock(&self.database).is_fenced(epoch)
    }

    /// What is durable now, without asking the server.
    pub fn durable(&self) -> Vec<Token> {
        lock(&self.database).tokens()
    }
}

#[async_trait]
impl TokenStore for SimTokenStore {
    async fn claim(&self) -> Result<Epoch, StoreError> {
        let epoch = self.server.write(|| lock(&self.database).claim()).await?;
        self.server.runtime().trace(format_args!("tokens are claimed under epoch {epoch}"));
        Ok(epoch)
    }

    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, StoreError> {
        self.server.read().await?;
        Ok(lock(&self.database).load(after, limit))
    }

    async fn save(&self, epoch: Epoch, tokens: &[Token]) -> Result<(), StoreError> {
        self.server.write(|| lock(&self.database).save(epoch, tokens)).await??;
        self.server.runtime().trace(format_args!("store saves {} tokens", tokens.len()));
        Ok(())
    }

    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, StoreError> {
        Ok(self.server.write(|| lock(&self.database).add(mints, at)).await?)
    }

    async fn remove(&self, mints: &[Mint]) -> Result<u64, StoreError> {
        Ok(self.server.write(|| lock(&self.database).remove(mints)).await?)
    }

    async fn follow(
        &self,
        epoch: Epoch,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError> {
        self.server.write(|| lock(&self.database).follow(epoch, origin, mints, at)).await?
    }

    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError> {
        self.server.read().await?;
        Ok(lock(&self.database).owned(origin).collect())
    }

    async fn revision(&self) -> Result<u64, StoreError> {
        self.server.read().await?;
        Ok(lock(&self.database).revision())
    }
}
