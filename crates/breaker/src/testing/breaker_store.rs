//! A breaker store in memory that obeys every law of the port, and fails on request. It is never slow.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ttm_kernel::{Admission, Epoch, FencingToken, StoreError};

use crate::{BreakerStore, StoredBreaker};

/// Remembers breakers. Clones share their memory, so that a clone is what a reopened store would be.
#[derive(Clone, Debug, Default)]
pub struct FakeBreakerStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    breakers: BTreeMap<String, StoredBreaker>,
    epoch: Epoch,
    /// The newest token that was written under.
    saved: Option<FencingToken>,
    saves: u64,
    failure: Option<Box<dyn Fn() -> StoreError + Send>>,
}

impl FakeBreakerStore {
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

    /// Lets calls work again; what was stored before is still there.
    pub fn heal(&self) {
        self.lock().failure = None;
    }

    /// Every breaker, in the order of the names.
    pub fn breakers(&self) -> Vec<StoredBreaker> {
        self.lock().breakers.values().cloned().collect()
    }

    /// How many saves were acknowledged.
    pub fn saves(&self) -> u64 {
        self.lock().saves
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
            .field("breakers", &self.breakers)
            .field("epoch", &self.epoch)
            .field("fails", &self.failure.is_some())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl BreakerStore for FakeBreakerStore {
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError> {
        Ok(self.working()?.breakers.values().cloned().collect())
    }

    async fn save(&self, under: FencingToken, breakers: &[StoredBreaker]) -> Result<(), StoreError> {
        let mut inner = self.working()?;
        if under.admit(inner.epoch, inner.saved)? == Admission::Newest {
            inner.saved = Some(under);
        }
        for breaker in breakers {
            inner.breakers.insert(breaker.name.clone(), breaker.clone());
        }
        inner.saves += 1;
        Ok(())
    }
}
