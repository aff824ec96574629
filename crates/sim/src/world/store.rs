//! How the simulated database takes a call, whichever table it is for: latency, faults, and the moment at which a write
//! is durable. It does not know what is written.

use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::{Clock, Entropy, Runtime, StoreError};
use ttm_testkit::SeededEntropy;

use crate::{FaultSchedule, SimRuntime, StoreFault};

/// A call takes at least this; a write that long again to commit.
const LEAST_MS: u64 = 1;
/// And this much more at most, before it commits.
const SPREAD_MS: u64 = 8;

/// The server behind both stores.
#[derive(Clone, Debug)]
pub(super) struct Server {
    runtime: SimRuntime,
    faults: Arc<FaultSchedule>,
    latency: Arc<SeededEntropy>,
    chance: Arc<SeededEntropy>,
}

impl Server {
    pub(super) fn new(runtime: &SimRuntime, faults: &Arc<FaultSchedule>) -> Self {
        Self {
            runtime: runtime.clone(),
            faults: faults.clone(),
            latency: runtime.stream("store latency"),
            chance: runtime.stream("store chance"),
        }
    }

    pub(super) fn runtime(&self) -> &SimRuntime {
        &self.runtime
    }

    /// A read: by the time that this comes back the server looks at its data.
    pub(super) async fn read(&self) -> Result<(), StoreError> {
        self.arrive().await?;
        Ok(())
    }

    /// A write. `commit` makes it durable, and is called at most once; its caller may wait in vain to hear of it:
    /// when the connection breaks, or when the caller is killed or gives up between arrival and commit, in which case
    /// chance decides whether the server still commits.
    pub(super) async fn write<T>(&self, commit: impl FnOnce() -> T) -> Result<T, StoreError> {
        let mut arrived = Arrived { server: self, commit: Some(commit) };
        let fault = self.arrive().await.inspect_err(|_| arrived.commit = None)?;
        if fault == Some(StoreFault::Full) {
            arrived.commit = None;
            return Err(StoreError::transient("no space left on the device"));
        }
        self.pause().await;
        let commit = arrived.commit.take().expect("the write is committed here alone");
        let answer = commit();
        if fault == Some(StoreFault::LostAcks) {
            self.pause().await;
            return Err(StoreError::transient("the connection was lost"));
        }
        self.runtime.yields().await;
        Ok(answer)
    }

    /// Brings a request to the server; what is wrong with that, other than that it cannot be reached.
    async fn arrive(&self) -> Result<Option<StoreFault>, StoreError> {
        self.runtime.yields().await;
        self.pause().await;
        let Some((fault, until)) = self.faults.store(self.runtime.now()) else { return Ok(None) };
        match fault {
            StoreFault::Gone => return Err(StoreError::transient("connection refused")),
            StoreFault::Hang => self.runtime.sleep_until(until).await,
            StoreFault::LostAcks | StoreFault::Full => {}
        }
        Ok(Some(fault))
    }

    async fn pause(&self) {
        let micros = LEAST_MS * 1_000 + self.latency.below(SPREAD_MS * 1_000);
        self.runtime.sleep_until(self.runtime.now() + Duration::from_micros(micros)).await;
    }
}

/// A write between its departure and its commit.
struct Arrived<'a, T, C: FnOnce() -> T> {
    server: &'a Server,
    commit: Option<C>,
}

impl<T, C: FnOnce() -> T> Drop for Arrived<'_, T, C> {
    fn drop(&mut self) {
        if let Some(commit) = self.commit.take()
            && self.server.chance.below(2) == 0
        {
            drop(commit());
        }
    }
}
