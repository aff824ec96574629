//! The fake of the store port obeys its laws, and the suite finds stores that break one: each of those is the fake with
//! one law broken.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_breaker::testing::{FakeBreakerStore, conformance};
use ttm_breaker::{BreakerStore, Saved, State, StoredBreaker};
use ttm_kernel::testing::{Laws, assert_noticed};
use ttm_kernel::{Epoch, FencingToken, Incarnation, StoreError};
use ttm_testkit::ManualRuntime;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    ForgetsOnReopening,
    ForgetsEpochsOnReopening,
    ForgetsIncarnationsOnReopening,
    IgnoresEpochs,
    IgnoresIncarnations,
    CountsIncarnationsOverClaims,
    LetsEmptySavesFenceNothing,
    RefusesEmptySaves,
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
    /// What was there when it was opened.
    before: Vec<StoredBreaker>,
    newest: Epoch,
    saves: u64,
}

impl Broken {
    fn open(store: &FakeBreakerStore, bug: Bug) -> Self {
        Self {
            store: store.clone(),
            bug,
            order: Mutex::default(),
            known: Mutex::default(),
            before: store.breakers(),
            newest: store.newest(),
            saves: store.saves(),
        }
    }

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
            Bug::ForgetsOnReopening => all.retain(|breaker| !self.before.contains(breaker)),
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
            let outcome = self.store.save(under, &breakers).await;
            if outcome.is_err() {
                self.store.save(newest, &breakers).await?;
            }
            return outcome;
        }
        let under = match self.bug {
            Bug::IgnoresEpochs => newest,
            Bug::ForgetsEpochsOnReopening if self.store.newest() == self.newest => {
                FencingToken::new(self.newest, under.incarnation())
            }
            Bug::ForgetsIncarnationsOnReopening
                if self.store.saves() == self.saves && under.epoch() == self.newest =>
            {
                return Ok(());
            }
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
            Bug::RefusesEmptySaves if breakers.is_empty() => return Err(StoreError::rejected("empty")),
            _ => under,
        };
        self.store.save(under, &breakers).await
    }
}

fn judged(bug: Bug) -> Laws {
    let memory = FakeBreakerStore::new();
    let open = async || Box::new(Broken::open(&memory, bug)) as Box<dyn BreakerStore>;
    block_on(conformance::judge(open, async || memory.claim()))
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

const FAULTS: &[(Bug, &[&str])] = &[
    (Bug::ForgetsOnReopening, &["what_was_acknowledged_survives_reopening"]),
    (Bug::ForgetsEpochsOnReopening, &["an_older_epoch_stays_fenced_after_reopening"]),
    (Bug::ForgetsIncarnationsOnReopening, &["an_older_incarnation_stays_fenced_after_reopening"]),
    (
        Bug::IgnoresEpochs,
        &[
            "an_older_epoch_stays_fenced_after_reopening",
            "an_older_epoch_stores_nothing",
            "an_older_incarnation_stores_nothing",
            "the_first_save_of_an_incarnation_fences_off_older_ones_even_if_it_saves_nothing",
            "a_claim_begins_again_at_incarnation_zero",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (
        Bug::IgnoresIncarnations,
        &[
            "an_older_incarnation_stores_nothing",
            "the_first_save_of_an_incarnation_fences_off_older_ones_even_if_it_saves_nothing",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (
        Bug::CountsIncarnationsOverClaims,
        &[
            "the_first_save_of_an_incarnation_fences_off_older_ones_even_if_it_saves_nothing",
            "a_claim_begins_again_at_incarnation_zero",
        ],
    ),
    (
        Bug::LetsEmptySavesFenceNothing,
        &[
            "the_first_save_of_an_incarnation_fences_off_older_ones_even_if_it_saves_nothing",
            "a_claim_begins_again_at_incarnation_zero",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (
        Bug::RefusesEmptySaves,
        &[
            "an_empty_save_works",
            "the_first_save_of_an_incarnation_fences_off_older_ones_even_if_it_saves_nothing",
            "a_claim_begins_again_at_incarnation_zero",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (
        Bug::StoresBeforeItFences,
        &[
            "an_older_epoch_stays_fenced_after_reopening",
            "an_older_epoch_stores_nothing",
            "an_older_incarnation_stores_nothing",
            "a_claim_begins_again_at_incarnation_zero",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (Bug::KeepsTheNewestTime, &["the_state_that_was_saved_last_counts_whatever_its_time"]),
    (
        Bug::CutsPeriodsToMilliseconds,
        &["every_state_comes_back_exactly_as_saved", "periods_and_times_are_kept_to_the_microsecond"],
    ),
    (Bug::RoundsPeriodsDown, &["periods_and_times_are_kept_to_the_microsecond"]),
    (
        Bug::ForgetsFailedRecoveries,
        &[
            "what_was_acknowledged_survives_reopening",
            "every_state_comes_back_exactly_as_saved",
            "periods_and_times_are_kept_to_the_microsecond",
            "the_rate_comes_back_exactly_as_saved",
            "an_older_epoch_stores_nothing",
            "saving_twice_is_saving_once",
            "the_state_that_was_saved_last_counts_whatever_its_time",
            "breakers_that_are_not_saved_stay_as_they_are",
            "an_older_incarnation_stores_nothing",
        ],
    ),
    (Bug::ForgetsTheRate, &["the_rate_comes_back_exactly_as_saved"]),
    (
        Bug::ForgetsSinceWhen,
        &[
            "what_was_acknowledged_survives_reopening",
            "every_state_comes_back_exactly_as_saved",
            "periods_and_times_are_kept_to_the_microsecond",
            "the_rate_comes_back_exactly_as_saved",
            "an_older_epoch_stores_nothing",
            "saving_twice_is_saving_once",
            "the_state_that_was_saved_last_counts_whatever_its_time",
            "breakers_that_are_not_saved_stay_as_they_are",
            "an_older_incarnation_stores_nothing",
        ],
    ),
    (Bug::RoundsShares, &["the_rate_comes_back_exactly_as_saved"]),
    (Bug::RoundsPausesDown, &["the_rate_comes_back_exactly_as_saved"]),
    (Bug::TakesHalfOpenForOpen, &["every_state_comes_back_exactly_as_saved"]),
    (
        Bug::ForgetsTheOthers,
        &["what_was_acknowledged_survives_reopening", "breakers_that_are_not_saved_stay_as_they_are"],
    ),
    (Bug::IgnoresTheOrder, &["every_breaker_comes_once_in_the_order_of_the_names"]),
];

#[test]
fn the_suite_notices_each_fault_by_the_laws_that_it_breaks() {
    assert_noticed(Bug::None, FAULTS, judged);
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
