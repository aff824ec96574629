//! What happens to requests in flight when the work ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ttm_kernel::Clock as _;
use ttm_market::testing::FakeTokenStore;
use ttm_market::{Mint, PairBatch, PairSource, PairSourceError, TokenStore as _};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::fakes;

/// An API that takes three seconds to answer with an empty list.
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
    let ports = crate::Ports { pairs: Arc::new(api.clone()), ..fakes::ports(&tokens) };
    runtime.block_on(tokens.add(&[Mint::WSOL, Mint::USDC], runtime.wall())).expect("the fake works");
    let resident = fakes::resident(&runtime, &fakes::board(&runtime), ports);
    let (life, _order) = fakes::life(&runtime);
    let work = runtime.spawn("work", Box::pin(Work::boot(&resident, life).run()));
    let second = Duration::from_secs(1);
    runtime.block_on(async {
        while api.seen().0 == 0 {
            runtime.sleep_until(runtime.now() + second).await;
        }
        assert_eq!(api.seen(), (1, 0));
        // Like a panic, this drops the work at its current await point.
        work.abort();
        runtime.sleep_until(runtime.now() + second * 60).await;
        assert_eq!(api.seen(), (1, 0), "the request was dropped, and no other followed");
        assert_eq!(resident.board.api_trouble("dexscreener"), None, "the API is not blamed");
        assert_eq!(resident.board.calls(Duration::from_mins(5)).errors, 0);
    });
}
