//! The simulated table of alerts: keeps the port's laws under every fault. Clones are connections to one database.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use ttm_alert::memory::Memory;
use ttm_alert::{AlertKey, AlertStore, Commit, DeadLetter, EpisodeId, Loaded, Outcome, Receipt, RowKey};
use ttm_kernel::{Admission, Clock, FencingToken, Moment, Severity, StoreError};

use super::SimTokenStore;
use super::defect::{Defect, Defects};
use super::store::{Ledger, Server};
use crate::{FaultSchedule, SimRuntime, StoreTable};

/// The store.
#[derive(Clone, Debug)]
pub struct SimAlertStore {
    server: Server,
    /// Where epochs are claimed.
    tokens: SimTokenStore,
    defects: Defects,
    database: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    memory: Memory,
    /// Every episode that ever was CRITICAL, and since when the store has known that.
    critical: BTreeMap<(AlertKey, EpisodeId), Moment>,
    /// Messages of which the store knows that they arrived.
    delivered: BTreeMap<RowKey, Moment>,
    /// The newest fencing token of a write.
    written: Option<FencingToken>,
}

impl SimAlertStore {
    /// An empty table in the database of `tokens`.
    pub(super) fn beside(
        tokens: &SimTokenStore,
        defects: &Defects,
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        ledger: &Ledger,
    ) -> Self {
        Self {
            server: Server::new(StoreTable::Alerts, runtime, faults, ledger),
            tokens: tokens.clone(),
            defects: defects.clone(),
            database: Arc::default(),
        }
    }

    /// What is durable.
    pub fn memory(&self) -> Memory {
        self.database.lock().memory.clone()
    }

    /// Every episode that was ever durable as CRITICAL, and since when.
    pub fn critical(&self) -> BTreeMap<(AlertKey, EpisodeId), Moment> {
        self.database.lock().critical.clone()
    }

    /// Whether the store knew at this time that a message had arrived.
    pub fn knew_of(&self, message: &RowKey, at: Moment) -> bool {
        self.database.lock().delivered.get(message).is_some_and(|since| *since <= at)
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
        let is_torn = self.defects.has(Defect::TornAlerts);
        let apply = || {
            let mut database = self.database.lock();
            if self.tokens.admit(process, under, database.written)? == Admission::Newest {
                database.written = Some(under);
            }
            let now = self.server.runtime().now();
            let cases = commit.records.iter().flat_map(|record| {
                let critical = record.cases.iter().filter(|case| case.severity == Severity::Critical);
                critical.map(|case| (record.key.clone(), case.episode.id))
            });
            for episode in cases {
                database.critical.entry(episode).or_insert(now);
            }
            for receipt in &commit.receipts {
                if let Outcome::Delivered { .. } = receipt.outcome {
                    database.delivered.entry(receipt.key.clone()).or_insert(now);
                }
            }
            if is_torn {
                // The states without the messages that follow from them.
                database.memory.apply(&Commit { rows: Vec::new(), ..commit.clone() });
            } else {
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
