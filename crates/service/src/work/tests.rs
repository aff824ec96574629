//! What becomes of requests whose work ends under them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ttm_kernel::Clock as _;
use ttm_market::testing::FakeTokenStore;
use ttm_market::{Mint, PairBatch, PairSource, PairSourceError, TokenStore as _};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::{Failure, Service, fakes};

/// An API that takes three seconds to answer that it knows nothing.
#[derive(Clone)]
struct Slow {
    runtime: ManualRuntime,
    calls: Arc<AtomicU64>,
    answers: Arc<AtomicU64>,
}

impl Slow {
    async fn answer(&self) -> Result<PairBatch, PairSourceError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.runtime.sleep_until(self.runtime.now() + Duration::from_secs(3)).await;
        self.answers.fetch_add(1, Ordering::SeqCst);
        Ok(PairBatch::default())
    }

    fn seen(&self) -> (u64, u64) {
        (self.calls.load(Ordering::SeqCst), self.answers.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl PairSource for Slow {
    async fn primary_pairs(&self, _: &[Mint]) -> Result<PairBatch, PairSourceError> {
        self.answer().await
    }

    async fn all_pairs(&self, _: Mint) -> Result<PairBatch, PairSourceError> {
        self.answer().await
    }
}

#[test]
fn requests_end_with_the_work_that_made_them() {
    let (runtime, tokens) = (ManualRuntime::new(1), FakeTokenStore::new());
    let api = Slow { runtime: runtime.clone(), calls: Arc::default(), answers: Arc::default() };
    let ports = crate::ports::Ports { pairs: Arc::new(api.clone()), ..fakes::ports(&tokens) };
    let (planes, board) = (fakes::planes(&runtime), fakes::board(&runtime));
    let second = Duration::from_secs(1);
    runtime.block_on(async {
        tokens.add(&[Mint::WSOL, Mint::USDC], runtime.wall()).await.expect("the fake works");
        let service = Service::start(ports, fakes::settings(), planes, board).await.expect("it starts");
        while api.seen().0 == 0 {
            runtime.sleep_until(runtime.now() + second).await;
        }
        let (part, work) = &service.work[0];
        assert_eq!((*part, api.seen()), ("work", (1, 0)));
        // As a panic does: the work is dropped where it stands.
        work.abort();
        let ended = service.run(std::future::pending(), second * 30).await;
        assert!(matches!(ended.failure, Some(Failure::Part { part: "work", .. })), "{ended:?}");
        runtime.sleep_until(runtime.now() + second * 60).await;
        assert_eq!(api.seen(), (1, 0), "nothing came of the request, and no other followed");
    });
}
