//! The simulated table of recoveries: keeps the port's laws under every fault. Clones are connections to one database.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_kernel::{Admission, Clock, FencingToken, Moment, StoreError};
use ttm_recovery::{Entry, EntryKey, Fact, LEDGER_KEEPS, RecoveryLedger};

use super::SimTokenStore;
use super::defect::{Defect, Defects};
use super::store::{Ledger, Server};
use crate::{FaultSchedule, SimRuntime, StoreTable};

/// The store.
#[derive(Clone, Debug)]
pub struct SimRecoveryLedger {
    server: Server,
    /// Where epochs are claimed.
    tokens: SimTokenStore,
    defects: Defects,
    database: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    rows: BTreeMap<EntryKey, Entry>,
    /// Every entry that was ever durable, and since when, also if it was set aside later.
    ever: Vec<(Moment, Entry)>,
    /// The newest fencing token of a write.
    written: Option<FencingToken>,
}

impl SimRecoveryLedger {
    /// An empty ledger in the database of `tokens`.
    pub(super) fn beside(
        tokens: &SimTokenStore,
        defects: &Defects,
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        ledger: &Ledger,
    ) -> Self {
        Self {
            server: Server::new(StoreTable::Recoveries, runtime, faults, ledger),
            tokens: tokens.clone(),
            defects: defects.clone(),
            database: Arc::default(),
        }
    }

    /// Every entry that is durable, in the order of the keys.
    pub fn entries(&self) -> Vec<Entry> {
        self.database.lock().rows.values().cloned().collect()
    }

    /// Every entry that was ever durable, and since when.
    pub fn ever(&self) -> Vec<(Moment, Entry)> {
        self.database.lock().ever.clone()
    }

    /// How many entries were ever durable.
    pub fn count(&self) -> usize {
        self.database.lock().ever.len()
    }

    async fn write(
        &self,
        under: FencingToken,
        change: impl FnOnce(&mut Table, Moment),
    ) -> Result<(), StoreError> {
        let process = self.server.runtime().process();
        let commit = || {
            let mut database = self.database.lock();
            if self.tokens.admit(process, under, database.written)? == Admission::Newest {
                database.written = Some(under);
            }
            change(&mut database, self.server.runtime().now());
            Ok(())
        };
        self.server.write(commit).await?
    }
}

#[async_trait]
impl RecoveryLedger for SimRecoveryLedger {
    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.server.read().await?;
        if self.defects.has(Defect::ForgetfulLedger) {
            return Ok(Vec::new());
        }
        let database = self.database.lock();
        let newest = database.rows.values().rev().filter(|entry| entry.at >= since).take(limit);
        let mut entries: Vec<Entry> = newest.cloned().collect();
        entries.reverse();
        Ok(entries)
    }

    async fn append(&self, under: FencingToken, entries: &[Entry]) -> Result<(), StoreError> {
        let checked = entries.iter().try_for_each(Entry::check);
        checked.map_err(|error| StoreError::rejected(error.to_string()))?;
        self.write(under, |table, now| {
            for entry in entries {
                let is_lost =
                    self.defects.has(Defect::TornLedger) && matches!(entry.fact, Fact::Began { .. });
                if is_lost || table.rows.contains_key(&entry.key) {
                    continue;
                }
                table.rows.insert(entry.key, entry.clone());
                table.ever.push((now, entry.clone()));
            }
            while table.rows.len() > LEDGER_KEEPS {
                table.rows.pop_first();
            }
        })
        .await
    }

    async fn set_aside(&self, under: FencingToken) -> Result<(), StoreError> {
        self.write(under, |table, _| table.rows.clear()).await
    }
}
