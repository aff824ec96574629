//! An alert store in memory that obeys every law of the port, and fails on request. It is never slow.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ttm_kernel::{Admission, Epoch, FencingToken, StoreError};

use crate::memory::Memory;
use crate::{AlertStore, Commit, DeadLetter, Loaded, Receipt};

/// Remembers commits. Clones share their memory, so that a clone is what a reopened store would be.
#[derive(Clone, Debug, Default)]
pub struct FakeAlertStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    memory: Memory,
    epoch: Epoch,
    /// The newest token that was written under.
    written: Option<FencingToken>,
    commits: u64,
    failure: Option<Box<dyn Fn() -> StoreError + Send>>,
    is_read_only: bool,
    unreadable: Vec<String>,
}

impl FakeAlertStore {
    /// An empty store.
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

    /// Makes commits fail, and nothing else, until [`heal`](Self::heal).
    pub fn be_read_only(&self) {
        self.lock().is_read_only = true;
    }

    /// Lets calls work again; what was stored before is still there.
    pub fn heal(&self) {
        let mut inner = self.lock();
        (inner.failure, inner.is_read_only) = (None, false);
    }

    /// Adds a row that cannot be read, with what is wrong with it.
    pub fn add_unreadable(&self, what: &str) {
        self.lock().unreadable.push(what.to_owned());
    }

    /// What is stored.
    pub fn memory(&self) -> Memory {
        self.lock().memory.clone()
    }

    /// How many commits were acknowledged.
    pub fn commits(&self) -> u64 {
        self.lock().commits
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

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("memory", &self.memory)
            .field("epoch", &self.epoch)
            .field("fails", &self.failure.is_some())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl AlertStore for FakeAlertStore {
    async fn load(&self) -> Result<Loaded, StoreError> {
        let inner = self.working()?;
        Ok(Loaded { unreadable: inner.unreadable.clone(), ..inner.memory.loaded() })
    }

    async fn commit(&self, under: FencingToken, commit: &Commit) -> Result<(), StoreError> {
        let mut inner = self.working()?;
        if inner.is_read_only {
            return Err(StoreError::transient("read-only"));
        }
        if under.admit(inner.epoch, inner.written)? == Admission::Newest {
            inner.written = Some(under);
        }
        inner.memory.apply(commit);
        inner.commits += 1;
        Ok(())
    }

    async fn receipts(&self, limit: usize) -> Result<Vec<Receipt>, StoreError> {
        let receipts = &self.working()?.memory.receipts;
        Ok(receipts[receipts.len().saturating_sub(limit)..].to_vec())
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        let dead = &self.working()?.memory.dead;
        Ok(dead[dead.len().saturating_sub(limit)..].to_vec())
    }
}
