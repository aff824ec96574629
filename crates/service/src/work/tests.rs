//! What happens to requests in flight when the work ends, or one of its groups.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ttm_kernel::Clock as _;
use ttm_market::testing::FakeTokenStore;
use ttm_market::{Mint, PairBatch, PairSource, PairSourceError, TokenStore as _};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::fakes;
use crate::settings::POOLS;

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

/// An API whose answers make the adapter panic.
struct Panics;

#[async_trait]
impl PairSource for Panics {
    async fn primary_pairs(&self, _: &[Mint]) -> Result<PairBatch, PairSourceError> {
        panic!("it cannot be read:\n{}", "x".repeat(1_000))
    }

    async fn all_pairs(&self, mint: Mint) -> Result<PairBatch, PairSourceError> {
        self.primary_pairs(&[mint]).await
    }
}

#[test]
fn a_panic_in_the_adapter_is_told_as_one_and_no_failure_of_the_api() {
    let (runtime, tokens) = (ManualRuntime::new(1), FakeTokenStore::new());
    let ports = crate::Ports { pairs: Arc::new(Panics), ..fakes::ports(&tokens) };
    let io = Arc::new(runtime.clone()) as Arc<dyn Runtime>;
    runtime.block_on(tokens.add(&[Mint::WSOL, Mint::USDC], runtime.wall())).expect("the fake works");
    let resident = fakes::resident(&runtime, &fakes::board(&runtime), ports.on(&io));
    let (life, _order) = fakes::life(&runtime);
    let work = runtime.spawn("work", Box::pin(Work::boot(&resident, life).run()));
    runtime.block_on(runtime.sleep_until(runtime.now() + Duration::from_mins(5)));
    let panics = resident.board.answers.panics(COLD, runtime.now()).expect("they are told");
    assert!(panics.requests >= 5, "{panics:?}");
    assert_eq!(panics.message, format!("it cannot be read:{}", "x".repeat(182)));
    assert!(resident.board.panics_since_heard_of(POOLS, COLD));
    assert_eq!(resident.board.api_trouble(POOLS), None, "the API is not blamed");
    assert_eq!(resident.board.calls(Duration::from_mins(5)).errors, 0);
    let breaker = resident.guard.breaker().snapshot(runtime.now());
    assert_eq!(breaker.state, ttm_breaker::State::Closed);
    let held_up = resident.board.group(COLD).and_then(|status| status.last_held_up);
    assert_eq!(held_up, None);
    runtime.clock().advance(Duration::from_millis(1));
    resident.board.post_api_error(POOLS, "503");
    assert!(!resident.board.panics_since_heard_of(POOLS, COLD), "it was heard of after that");
    work.abort();
}

/// A work with two cold tokens, and its API.
fn working(runtime: &ManualRuntime) -> (Arc<Resident>, Slow, ttm_kernel::Task, crate::StopOrder) {
    let tokens = FakeTokenStore::new();
    let api = Slow { runtime: runtime.clone(), calls: Arc::default(), answers: Arc::default() };
    let ports = crate::Ports { pairs: Arc::new(api.clone()), ..fakes::ports(&tokens) };
    runtime.block_on(tokens.add(&[Mint::WSOL, Mint::USDC], runtime.wall())).expect("the fake works");
    let resident = fakes::resident(runtime, &fakes::board(runtime), ports);
    let (life, order) = fakes::life(runtime);
    let work = runtime.spawn("work", Box::pin(Work::boot(&resident, life).run()));
    (resident, api, work, order)
}

/// The group of the tokens that have no score.
const COLD: Lane = Lane::Cold;

fn wanted(number: u32, mode: Mode) -> Wanted {
    Wanted { incarnation: ttm_kernel::Incarnation::new(number), mode }
}

#[test]
fn a_group_that_is_drained_waits_for_what_is_in_flight_and_asks_for_nothing_more() {
    let runtime = ManualRuntime::new(1);
    let (resident, api, work, _order) = working(&runtime);
    let pause = |millis| runtime.sleep_until(runtime.now() + Duration::from_millis(millis));
    let ended = || resident.groups.ended(COLD, wanted(0, Mode::Run).incarnation);
    runtime.block_on(async {
        while api.seen().0 == 0 {
            pause(100).await;
        }
        resident.groups.want(COLD, wanted(0, Mode::Drain));
        pause(1_000).await;
        assert!(!ended(), "a request is in flight");
        pause(10_000).await;
        assert!(ended());
        let (calls, answers) = api.seen();
        assert_eq!(calls, answers, "all were waited for");
        pause(120_000).await;
        assert_eq!(api.seen(), (calls, answers), "the next ticks ask for nothing");
        resident.groups.want(COLD, wanted(1, Mode::Run));
        pause(60_000).await;
        assert!(api.seen().0 > calls, "it goes on as its next incarnation");
    });
    work.abort();
}

#[test]
fn a_group_that_is_aborted_has_its_requests_dropped_and_its_tokens_asked_for_again() {
    let runtime = ManualRuntime::new(1);
    let (resident, api, work, _order) = working(&runtime);
    let pause = |millis| runtime.sleep_until(runtime.now() + Duration::from_millis(millis));
    runtime.block_on(async {
        while api.seen().0 == 0 {
            pause(100).await;
        }
        resident.groups.want(COLD, wanted(0, Mode::Abort));
        pause(100).await;
        assert!(resident.groups.ended(COLD, wanted(0, Mode::Run).incarnation));
        assert_eq!(resident.flights.all().len(), 0, "its task is gone");
        pause(10_000).await;
        assert_eq!(api.seen(), (1, 0), "the request was dropped, and none follows");
        assert_eq!(resident.board.calls(Duration::from_mins(5)).errors, 0, "the API is not blamed");
        resident.groups.want(COLD, wanted(1, Mode::Run));
        pause(2_000).await;
        assert_eq!(api.seen().0, 2, "its tokens were due, and are asked for first");
    });
    work.abort();
}

#[test]
fn the_other_group_is_not_touched_by_the_end_of_one() {
    let runtime = ManualRuntime::new(1);
    let (resident, api, work, _order) = working(&runtime);
    let pause = |millis| runtime.sleep_until(runtime.now() + Duration::from_millis(millis));
    runtime.block_on(async {
        while api.seen().0 == 0 {
            pause(100).await;
        }
        resident.groups.want(Lane::Hot, wanted(0, Mode::Abort));
        pause(10_000).await;
        let (calls, answers) = api.seen();
        assert!(answers >= 1 && calls == answers, "the cold request was answered");
        assert!(!resident.groups.ended(COLD, wanted(0, Mode::Run).incarnation));
        pause(120_000).await;
        assert!(api.seen().0 > calls, "and others follow");
    });
    work.abort();
}

#[test]
fn a_work_that_was_stopped_in_order_is_continued_by_the_next() {
    let runtime = ManualRuntime::new(1);
    let (resident, api, work, order) = working(&runtime);
    let pause = |millis| runtime.sleep_until(runtime.now() + Duration::from_millis(millis));
    runtime.block_on(async {
        while api.seen().0 == 0 {
            pause(100).await;
        }
        order.give(runtime.now() + Duration::from_secs(30));
        assert_eq!(work.await, ttm_kernel::TaskEnd::Finished);
        let (calls, answers) = api.seen();
        assert_eq!(calls, answers, "what was in flight was waited for");
        let (mut life, _order) = fakes::life(&runtime);
        life.author.incarnation = life.author.incarnation.next();
        let next = runtime.spawn("work", Box::pin(Work::boot(&resident, life).run()));
        pause(120_000).await;
        assert!(api.seen().0 > calls, "its ticks go on");
        next.abort();
    });
}
