//! The outside of a service under test: every port faked, on a runtime whose clock the test moves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_breaker::testing::FakeBreakerStore;
use ttm_health::ResourceSample;
use ttm_health::testing::FakeResourceSource;
use ttm_kernel::{Clock as _, Epoch, FencingToken, LeaseError, Runtime as _, StoreError, StoreLease};
use ttm_market::testing::{FakePairSource, FakeTokenStore};
use ttm_market::{Added, FOLLOW_STEP, Followed, Mint, Origin, Token, TokenStore};
use ttm_perf::testing::{FakeEventStore, FakeMetricStore};
use ttm_testkit::ManualRuntime;

use super::{Board, Service, ServiceSettings};
use crate::ports::{Planes, Ports};

/// The defaults.
pub(super) fn settings() -> ServiceSettings {
    ServiceSettings::default()
}

/// Both planes on one runtime.
pub(super) fn planes(runtime: &ManualRuntime) -> Planes {
    Planes { work: Arc::new(runtime.clone()), supervision: Arc::new(runtime.clone()) }
}

/// The board of a service that is not started yet.
pub(super) fn board(runtime: &ManualRuntime) -> Arc<Board> {
    Service::board_of(&settings(), &planes(runtime))
}

/// Stores that work, an API that knows no token, and a lease that nobody else wants.
pub(super) fn ports(tokens: &FakeTokenStore) -> Ports {
    Ports {
        lease: Arc::new(Unwanted),
        pairs: Arc::new(FakePairSource::new()),
        tokens: Arc::new(tokens.clone()),
        sources: Vec::new(),
        profiles: None,
        breakers: Arc::new(FakeBreakerStore::new()),
        history: Arc::new(FakeMetricStore::new()),
        events: Arc::new(FakeEventStore::new()),
        resources: Arc::new(FakeResourceSource::new(ResourceSample::default())),
    }
}

/// A lease that stands.
struct Unwanted;

#[async_trait]
impl StoreLease for Unwanted {
    async fn acquire(&self) -> Result<(), LeaseError> {
        Ok(())
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        Ok(())
    }

    async fn release(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn stands(&self) -> bool {
        true
    }

    fn renew_every(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// A mint for each number.
pub(super) fn mint(number: u32) -> Mint {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Mint::from_bytes(bytes)
}

/// A store that takes four seconds for each step of a follow and each page of a load.
pub(super) struct Slow(pub(super) FakeTokenStore, pub(super) ManualRuntime);

#[async_trait]
impl TokenStore for Slow {
    async fn follow(
        &self,
        under: FencingToken,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError> {
        let before: BTreeSet<Mint> = self.0.owned(origin).await?.into_iter().collect();
        let listed: BTreeSet<Mint> = mints.iter().copied().collect();
        let (additions, removals) = (listed.difference(&before).count(), before.difference(&listed).count());
        let steps = additions.div_ceil(FOLLOW_STEP) + removals.div_ceil(FOLLOW_STEP);
        let took = Duration::from_secs(4) * u32::try_from(steps).expect("a few");
        self.1.sleep_until(self.1.now() + took).await;
        self.0.follow(under, origin, mints, at).await
    }

    async fn claim(&self) -> Result<Epoch, StoreError> {
        self.0.claim().await
    }

    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, StoreError> {
        self.1.sleep_until(self.1.now() + Duration::from_secs(4)).await;
        self.0.load(after, limit).await
    }

    async fn save(&self, under: FencingToken, tokens: &[Token]) -> Result<(), StoreError> {
        self.0.save(under, tokens).await
    }

    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, StoreError> {
        self.0.add(mints, at).await
    }

    async fn remove(&self, mints: &[Mint]) -> Result<u64, StoreError> {
        self.0.remove(mints).await
    }

    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError> {
        self.0.owned(origin).await
    }

    async fn revision(&self, epoch: Epoch) -> Result<u64, StoreError> {
        self.0.revision(epoch).await
    }
}
