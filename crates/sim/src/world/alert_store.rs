//! The simulated table of alerts: keeps the port's laws under every fault. Clones are connections to one database.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use ttm_alert::memory::Memory;
use ttm_alert::{AlertStore, Commit, DeadLetter, Loaded, Receipt};
use ttm_kernel::{Admission, Clock, FencingToken, StoreError};

use super::SimTokenStore;
use super::defect::{Defect, Defects};
use super::store::{Ledger, Server};
use crate::oracle::Telling;
use crate::{FaultSchedule, SimRuntime, StoreTable};

/// The store.
#[derive(Clone, Debug)]
pub struct SimAlertStore {
    server: Server,
    /// Where epochs are claimed.
    tokens: SimTokenStore,
    defects: Defects,
    telling: Arc<Telling>,
    database: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    memory: Memory,
    /// The newest fencing token of a write.
    written: Option<FencingToken>,
}

impl SimAlertStore {
    /// An empty table in the database of `tokens`.
    pub(super) fn beside(
        tokens: &SimTokenStore,
        telling: &Arc<Telling>,
        defects: &Defects,
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        ledger: &Ledger,
    ) -> Self {
        Self {
            server: Server::new(StoreTable::Alerts, runtime, faults, ledger),
            tokens: tokens.clone(),
            defects: defects.clone(),
            telling: telling.clone(),
            database: Arc::default(),
        }
    }

    /// What is durable.
    pub fn memory(&self) -> Memory {
        self.database.lock().memory.clone()
    }
}

#[async_trait]
impl AlertStore for SimAlertStore {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.server.read().await?;
        if self.defects.has(Defect::ForgetfulAlerts) {
            return Ok(Loaded::default());
        }
        Ok(self.database.lock().memory.loaded())
    }

    async fn commit(&self, under: FencingToken, commit: &Commit) -> Result<(), StoreError> {
        let process = self.server.runtime().process();
        let stores = !self.defects.has(Defect::LyingAlerts);
        let apply = || {
            let mut database = self.database.lock();
            if self.tokens.admit(process, under, database.written)? == Admission::Newest {
                database.written = Some(under);
            }
            self.telling.stored(commit, self.server.runtime().now());
            if stores {
                database.memory.apply(commit);
            }
            Ok(())
        };
        self.server.write(apply).await?
    }

    async fn receipts(&self, limit: usize) -> Result<Vec<Receipt>, StoreError> {
        self.server.read().await?;
        let database = self.database.lock();
        let receipts = &database.memory.receipts;
        Ok(receipts[receipts.len().saturating_sub(limit)..].to_vec())
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.server.read().await?;
        let database = self.database.lock();
        let dead = &database.memory.dead;
        Ok(dead[dead.len().saturating_sub(limit)..].to_vec())
    }
}
