//! The fake of the store port obeys its laws, and the suite finds stores that break one: each of those is the fake with
//! one law broken.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_breaker::testing::{FakeBreakerStore, conformance};
use ttm_breaker::{BreakerStore, Saved, State, StoredBreaker};
use ttm_kernel::{FencingToken, Incarnation, StoreError};
use ttm_testkit::ManualRuntime;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    ForgetsOnReopening,
    IgnoresEpochs,
    IgnoresIncarnations,
    CountsIncarnationsOverClaims,
    LetsEmptySavesFenceNothing,
    StoresBeforeItFences,
    KeepsTheNewestTime,
    CutsPeriodsToMilliseconds,
    RoundsPeriodsDown,
    ForgetsFailedRecoveries,
    ForgetsTheRate,
    ForgetsSinceWhen,
    RoundsShares,
    RoundsPausesDown,
    TakesHalfOpenForOpen,
    ForgetsTheOthers,
    IgnoresTheOrder,
}

struct Broken {
    store: FakeBreakerStore,
    bug: Bug,
    order: Mutex<Vec<String>>,
    known: Mutex<Incarnation>,
}

impl Broken {
    fn changed(&self, breaker: &StoredBreaker) -> StoredBreaker {
        let mut breaker = breaker.clone();
        let saved = &mut breaker.saved;
        match self.bug {
            Bug::CutsPeriodsToMilliseconds => saved.open_for = millis(saved.open_for),
            Bug::RoundsPeriodsDown => saved.open_for = micros(saved.open_for),
            Bug::ForgetsFailedRecoveries => saved.failed_recoveries = 0,
            Bug::ForgetsTheRate => breaker.rate = None,
            Bug::ForgetsSinceWhen => breaker.since = None,
            Bug::RoundsShares => {
                breaker.rate.iter_mut().for_each(|rate| rate.share = (rate.share * 100.0).round() / 100.0);
            }
            Bug::RoundsPausesDown => {
                breaker.rate.iter_mut().for_each(|rate| rate.paused_for = micros(rate.paused_for));
            }
            Bug::TakesHalfOpenForOpen if saved.state == State::HalfOpen => saved.state = State::Open,
            _ => {}
        }
        breaker
    }
}

fn millis(period: Duration) -> Duration {
    Duration::from_millis(u64::try_from(period.as_millis()).unwrap_or(u64::MAX))
}

fn micros(period: Duration) -> Duration {
    Duration::from_micros(u64::try_from(period.as_micros()).unwrap_or(u64::MAX))
}

#[async_trait]
impl BreakerStore for Broken {
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError> {
        let mut all = self.store.load().await?;
        match self.bug {
            Bug::IgnoresTheOrder => {
                let order = self.order.lock().expect("nothing panics with it");
                all.sort_by_key(|breaker| order.iter().position(|name| *name == breaker.name));
            }
            Bug::ForgetsTheOthers => {
                let order = self.order.lock().expect("nothing panics with it");
                all.retain(|breaker| order.contains(&breaker.name));
            }
            _ => {}
        }
        Ok(all)
    }

    async fn save(&self, under: FencingToken, breakers: &[StoredBreaker]) -> Result<(), StoreError> {
        let mut breakers: Vec<StoredBreaker> = breakers.iter().map(|breaker| self.changed(breaker)).collect();
        if self.bug == Bug::KeepsTheNewestTime {
            let kept = self.store.breakers();
            breakers.retain(|new| !kept.iter().any(|old| old.name == new.name && old.at > new.at));
        }
        {
            let mut order = self.order.lock().expect("nothing panics with it");
            if self.bug == Bug::ForgetsTheOthers {
                order.clear();
            }
            order.extend(breakers.iter().map(|breaker| breaker.name.clone()));
        }
        let newest = FencingToken::new(self.store.newest(), Incarnation::new(u32::MAX));
        if self.bug == Bug::StoresBeforeItFences {
            self.store.save(newest, &breakers).await?;
        }
        let under = match self.bug {
            Bug::IgnoresEpochs => newest,
            Bug::IgnoresIncarnations => FencingToken::new(under.epoch(), newest.incarnation()),
            Bug::CountsIncarnationsOverClaims => {
                let mut known = self.known.lock().expect("nothing panics with it");
                *known = under.incarnation().max(*known);
                if under.incarnation() < *known {
                    return Err(StoreError::fenced_by_incarnation(under, *known));
                }
                under
            }
            Bug::LetsEmptySavesFenceNothing if breakers.is_empty() => return Ok(()),
            _ => under,
        };
        self.store.save(under, &breakers).await
    }
}

/// Whether the suite passes a store with this bug.
fn passes(bug: Bug) -> bool {
    let memory = FakeBreakerStore::new();
    let open = async || {
        let store = if bug == Bug::ForgetsOnReopening { FakeBreakerStore::new() } else { memory.clone() };
        Box::new(Broken { store, bug, order: Mutex::default(), known: Mutex::default() })
            as Box<dyn BreakerStore>
    };
    let suite = conformance::check(open, async || memory.claim());
    catch_unwind(AssertUnwindSafe(|| block_on(suite))).is_ok()
}

fn block_on<F: Future>(future: F) -> F::Output {
    ManualRuntime::new(0).block_on(future)
}

#[test]
fn the_fake_store_obeys_every_law() {
    let memory = FakeBreakerStore::new();
    let open = async || Box::new(memory.clone()) as Box<dyn BreakerStore>;
    block_on(conformance::check(open, async || memory.claim()));
}

#[test]
fn the_suite_refuses_every_broken_store() {
    assert!(passes(Bug::None), "the wrapper itself breaks nothing");
    for bug in [
        Bug::ForgetsOnReopening,
        Bug::IgnoresEpochs,
        Bug::IgnoresIncarnations,
        Bug::CountsIncarnationsOverClaims,
        Bug::LetsEmptySavesFenceNothing,
        Bug::StoresBeforeItFences,
        Bug::KeepsTheNewestTime,
        Bug::CutsPeriodsToMilliseconds,
        Bug::RoundsPeriodsDown,
        Bug::ForgetsFailedRecoveries,
        Bug::ForgetsTheRate,
        Bug::ForgetsSinceWhen,
        Bug::RoundsShares,
        Bug::RoundsPausesDown,
        Bug::TakesHalfOpenForOpen,
        Bug::ForgetsTheOthers,
        Bug::IgnoresTheOrder,
    ] {
        assert!(!passes(bug), "{bug:?} goes unnoticed");
    }
}

#[test]
fn the_fake_store_fails_on_request_and_keeps_what_it_had() {
    let store = FakeBreakerStore::new();
    let saved = Saved { state: State::Open, open_for: Duration::from_mins(1), failed_recoveries: 2 };
    let breaker =
        StoredBreaker { name: "api".to_owned(), saved, at: Timestamp::UNIX_EPOCH, since: None, rate: None };
    block_on(store.save(FencingToken::first(store.claim()), std::slice::from_ref(&breaker))).expect("works");
    store.fail_with(|| StoreError::transient("gone"));
    let error = block_on(store.load()).expect_err("fails");
    assert_eq!(error.to_string(), "the store is unavailable: gone");
    assert!(block_on(store.save(FencingToken::first(store.claim()), &[])).is_err());
    store.heal();
    assert_eq!(block_on(store.load()).expect("works"), [breaker]);
    assert_eq!((store.breakers().len(), store.saves()), (1, 1));
}

#[test]
fn a_state_and_its_word_name_each_other() {
    for state in State::ALL {
        assert_eq!(State::parse(state.as_str()), Some(state));
    }
    assert_eq!((State::parse("ajar"), State::parse("Open"), State::parse("")), (None, None, None));
}
