//! A ledger in memory that obeys every law of the port, and fails on request. It is never slow.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Admission, Epoch, FencingToken, StoreError};

use crate::{Entry, EntryKey, LEDGER_KEEPS, RecoveryLedger};

/// Remembers entries. Clones share their memory, so that a clone is what a reopened ledger would be.
#[derive(Clone, Debug, Default)]
pub struct FakeRecoveryLedger {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<EntryKey, Entry>,
    aside: Vec<Entry>,
    epoch: Epoch,
    /// The newest token that was written under.
    written: Option<FencingToken>,
    appends: u64,
    failure: Option<Box<dyn Fn() -> StoreError + Send>>,
    /// What is wrong with a row.
    spoiled: Option<String>,
}

impl FakeRecoveryLedger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Claims the next epoch; every older one is fenced off.
    pub fn claim(&self) -> Epoch {
        let mut inner = self.lock();
        inner.epoch = Epoch::new(inner.epoch.number() + 1);
        inner.epoch
    }

    /// The newest epoch that was claimed.
    pub fn newest(&self) -> Epoch {
        self.lock().epoch
    }

    /// Makes every call fail with what `error` gives, until [`heal`](Self::heal).
    pub fn fail_with(&self, error: impl Fn() -> StoreError + Send + 'static) {
        self.lock().failure = Some(Box::new(error));
    }

    /// Lets calls work again; what was stored before is still there.
    pub fn heal(&self) {
        self.lock().failure = None;
    }

    /// Makes a row unreadable, with what is wrong with it, until the ledger is set aside.
    pub fn spoil(&self, what: &str) {
        self.lock().spoiled = Some(what.to_owned());
    }

    /// Every entry, in the order of the keys.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.values().cloned().collect()
    }

    /// What was set aside.
    pub fn aside(&self) -> Vec<Entry> {
        self.lock().aside.clone()
    }

    /// How many appends were acknowledged.
    pub fn appends(&self) -> u64 {
        self.lock().appends
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.lock();
        match &inner.failure {
            Some(error) => Err(error()),
            None => Ok(inner),
        }
    }
}

impl Inner {
    fn may_write(&mut self, under: FencingToken) -> Result<(), StoreError> {
        if under.admit(self.epoch, self.written)? == Admission::Newest {
            self.written = Some(under);
        }
        Ok(())
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("entries", &self.entries)
            .field("epoch", &self.epoch)
            .field("fails", &self.failure.is_some())
            .field("spoiled", &self.spoiled)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl RecoveryLedger for FakeRecoveryLedger {
    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let inner = self.working()?;
        if let Some(what) = &inner.spoiled {
            return Err(StoreError::unexpected(what.clone()));
        }
        let newest = inner.entries.values().rev().filter(|entry| entry.at >= since).take(limit);
        let mut entries: Vec<Entry> = newest.cloned().collect();
        entries.reverse();
        Ok(entries)
    }

    async fn append(&self, under: FencingToken, entries: &[Entry]) -> Result<(), StoreError> {
        let mut inner = self.working()?;
        for entry in entries {
            entry.check().map_err(|error| StoreError::rejected(error.to_string()))?;
        }
        inner.may_write(under)?;
        for entry in entries {
            inner.entries.entry(entry.key).or_insert_with(|| entry.clone());
        }
        while inner.entries.len() > LEDGER_KEEPS {
            inner.entries.pop_first();
        }
        inner.appends += 1;
        Ok(())
    }

    async fn set_aside(&self, under: FencingToken) -> Result<(), StoreError> {
        let mut inner = self.working()?;
        inner.may_write(under)?;
        let entries = std::mem::take(&mut inner.entries);
        inner.aside.extend(entries.into_values());
        inner.spoiled = None;
        Ok(())
    }
}
