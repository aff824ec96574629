//! The outside of a service under test: every port faked, on a runtime whose clock the test moves.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ttm_breaker::testing::FakeBreakerStore;
use ttm_health::ResourceSample;
use ttm_health::testing::FakeResourceSource;
use ttm_kernel::{LeaseError, StoreError, StoreLease};
use ttm_market::testing::{FakePairSource, FakeTokenStore};
use ttm_perf::testing::{FakeEventStore, FakeMetricStore};
use ttm_testkit::ManualRuntime;

use super::{Board, Service, ServiceSettings};
use crate::ports::{Planes, Ports};

/// The defaults.
pub(super) fn settings() -> ServiceSettings {
    crate::config::load(None, std::iter::empty()).expect("the defaults are valid").service
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
