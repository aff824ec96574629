//! The suites of the sources find those that break their laws: each of these is a fake with one fault, and the laws that notice it are
//! exactly those named beside it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use ttm_kernel::testing::{Laws, assert_noticed, yield_now};
use ttm_market::testing::conformance::{pair_source, token_source};
use ttm_market::testing::{FakePairSource, FakeProfileSource, FakeTokenSource};
use ttm_market::{
    Listing, Mint, Origin, PairBatch, PairSource, PairSourceError, ProfileSource, TokenSource,
    TokenSourceError,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    KeepsTheQuoteSide,
    AnswersForOthers,
    GivesAllPoolsInABatch,
    FailsForAMintThatIsNotThere,
    DropsTheThirtieth,
    TriesAgain,
    AsksBeforehand,
    Caches,
    RemembersWhatWasNotThere,
    TakesEverythingForTransient,
    TakesGarbageForNothing,
    StopsAfterARefusal,
    AsksOnWhenDropped,
}

struct Broken {
    inner: FakePairSource,
    bug: Bug,
    cache: Mutex<BTreeMap<Mint, PairBatch>>,
    is_stopped: Mutex<bool>,
    left: Mutex<usize>,
}

impl Broken {
    fn told(&self, outcome: Result<PairBatch, PairSourceError>) -> Result<PairBatch, PairSourceError> {
        match (self.bug, outcome) {
            (Bug::TakesEverythingForTransient, Err(error)) => Err(PairSourceError::Transient {
                message: error.to_string(),
                retry_after: None,
                source: None,
            }),
            (Bug::TakesGarbageForNothing, Err(PairSourceError::Malformed { .. })) => Ok(PairBatch::default()),
            (_, outcome) => outcome,
        }
    }

    fn stopped(&self) -> bool {
        self.bug == Bug::StopsAfterARefusal && *self.is_stopped.lock().expect("nothing panics with it")
    }
}

fn refused() -> PairSourceError {
    PairSourceError::Forbidden { message: "403 before".to_owned() }
}

#[async_trait]
impl PairSource for Broken {
    async fn primary_pairs(&self, mints: &[Mint]) -> Result<PairBatch, PairSourceError> {
        if self.stopped() {
            return Err(refused());
        }
        let mut mints = mints.to_vec();
        match self.bug {
            Bug::DropsTheThirtieth => mints.truncate(29),
            Bug::AnswersForOthers => mints.push(Mint::from_bytes({
                let mut bytes = [9; 32];
                (bytes[0], bytes[31]) = (1, 2);
                bytes
            })),
            Bug::AsksBeforehand => drop(self.inner.all_pairs(Mint::WSOL).await),
            Bug::AsksOnWhenDropped => {
                struct Asks<'a>(&'a Broken, bool);
                impl Drop for Asks<'_> {
                    fn drop(&mut self) {
                        *self.0.left.lock().expect("nothing panics with it") += usize::from(self.1) * 2;
                    }
                }
                let mut asks = Asks(self, true);
                yield_now().await;
                asks.1 = false;
            }
            _ => {}
        }
        let mut outcome = self.inner.primary_pairs(&mints).await;
        if self.bug == Bug::TriesAgain && outcome.is_err() {
            outcome = self.inner.primary_pairs(&mints).await;
        }
        if matches!(outcome, Err(PairSourceError::Forbidden { .. })) {
            *self.is_stopped.lock().expect("nothing panics with it") = true;
        }
        if let (Bug::GivesAllPoolsInABatch, Ok(batch)) = (self.bug, &mut outcome) {
            batch.pairs = batch.pairs.iter().flat_map(|pair| [pair.clone(), pair.clone()]).collect();
        }
        if let (Bug::FailsForAMintThatIsNotThere, Ok(batch)) = (self.bug, &outcome)
            && batch.pairs.len() < mints.len()
        {
            return Err(PairSourceError::Rejected { message: "404".to_owned() });
        }
        self.told(outcome)
    }

    async fn all_pairs(&self, mint: Mint) -> Result<PairBatch, PairSourceError> {
        if self.stopped() {
            return Err(refused());
        }
        for _ in 0..std::mem::take(&mut *self.left.lock().expect("nothing panics with it")) {
            let mints = [mint];
            let mut again = self.inner.primary_pairs(&mints);
            let _any = again.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        if let Some(known) = self.cache.lock().expect("nothing panics with it").get(&mint) {
            return Ok(known.clone());
        }
        let outcome = self.inner.all_pairs(mint).await;
        if let Ok(mut batch) = outcome {
            let caches = match self.bug {
                Bug::Caches => true,
                Bug::RemembersWhatWasNotThere => batch.pairs.is_empty(),
                _ => false,
            };
            if caches {
                self.cache.lock().expect("nothing panics with it").insert(mint, batch.clone());
            }
            if let (Bug::KeepsTheQuoteSide, Some(pair)) = (self.bug, batch.pairs.first().cloned()) {
                let mut quoted = pair;
                quoted.base.mint = Mint::WSOL;
                batch.pairs.push(quoted);
            }
            return Ok(batch);
        }
        self.told(outcome)
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

fn judged(bug: Bug) -> Laws {
    let inner = FakePairSource::new();
    let (cache, is_stopped, left) = (Mutex::default(), Mutex::default(), Mutex::default());
    let broken = Broken { inner: inner.clone(), bug, cache, is_stopped, left };
    block_on(pair_source::judge(&broken, &inner))
}

const FAULTS: &[(Bug, &[&str])] = &[
    (
        Bug::KeepsTheQuoteSide,
        &[
            "every_pair_is_of_a_mint_that_was_asked_for",
            "an_answer_is_what_is_there_now",
            "a_call_that_is_dropped_is_abandoned",
        ],
    ),
    (
        Bug::AnswersForOthers,
        &[
            "every_pair_is_of_a_mint_that_was_asked_for",
            "a_mint_without_a_pair_is_not_found",
            "an_answer_is_what_is_there_now",
        ],
    ),
    (
        Bug::GivesAllPoolsInABatch,
        &[
            "every_pair_is_of_a_mint_that_was_asked_for",
            "a_mint_without_a_pair_is_not_found",
            "a_full_batch_is_answered",
            "an_answer_is_what_is_there_now",
        ],
    ),
    (
        Bug::FailsForAMintThatIsNotThere,
        &["a_mint_without_a_pair_is_not_found", "an_answer_is_what_is_there_now"],
    ),
    (Bug::DropsTheThirtieth, &["a_full_batch_is_answered"]),
    (Bug::TriesAgain, &["one_call_is_one_request"]),
    (Bug::AsksBeforehand, &["one_call_is_one_request", "a_call_that_is_dropped_is_abandoned"]),
    (
        Bug::Caches,
        &[
            "one_call_is_one_request",
            "an_answer_is_what_is_there_now",
            "each_answer_is_told_as_what_it_means",
        ],
    ),
    (Bug::RemembersWhatWasNotThere, &["an_answer_is_what_is_there_now"]),
    (Bug::TakesEverythingForTransient, &["each_answer_is_told_as_what_it_means"]),
    (Bug::TakesGarbageForNothing, &["each_answer_is_told_as_what_it_means"]),
    (
        Bug::StopsAfterARefusal,
        &[
            "one_call_is_one_request",
            "an_answer_is_what_is_there_now",
            "each_answer_is_told_as_what_it_means",
            "a_call_that_is_dropped_is_abandoned",
        ],
    ),
    (Bug::AsksOnWhenDropped, &["a_call_that_is_dropped_is_abandoned"]),
];

#[test]
fn the_suite_of_pairs_notices_each_fault() {
    assert_noticed(Bug::None, FAULTS, judged);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BadList {
    Sound,
    LosesTheLast,
    FailsForOneThatCannotBeRead,
    CountsNothing,
    ListsAgain,
    KeepsItsListing,
    TellsAllAsTransient,
}

struct Profiled(FakeProfileSource, BadList, Mutex<Option<Listing>>);

#[async_trait]
impl ProfileSource for Profiled {
    async fn latest_profiles(&self) -> Result<Listing, PairSourceError> {
        let Self(inner, fault, cache) = self;
        if let (BadList::KeepsItsListing, Some(known)) =
            (fault, &*cache.lock().expect("nothing panics with it"))
        {
            return Ok(known.clone());
        }
        let mut outcome = inner.latest_profiles().await;
        if *fault == BadList::ListsAgain && outcome.is_err() {
            outcome = inner.latest_profiles().await;
        }
        match (fault, outcome) {
            (BadList::LosesTheLast, Ok(mut listing)) => {
                listing.mints.pop_last();
                Ok(listing)
            }
            (BadList::FailsForOneThatCannotBeRead, Ok(listing)) if listing.unusable.count() > 0 => {
                Err(PairSourceError::Malformed { message: "an entry".to_owned() })
            }
            (BadList::CountsNothing, Ok(listing)) => {
                Ok(Listing { mints: listing.mints, ..Listing::default() })
            }
            (BadList::KeepsItsListing, Ok(listing)) if !listing.mints.is_empty() => {
                *cache.lock().expect("nothing panics with it") = Some(listing.clone());
                Ok(listing)
            }
            (BadList::TellsAllAsTransient, Err(error)) => Err(PairSourceError::Transient {
                message: error.to_string(),
                retry_after: None,
                source: None,
            }),
            (_, outcome) => outcome,
        }
    }
}

fn judged_profiles(fault: BadList) -> Laws {
    let inner = FakeProfileSource::new();
    let broken = Profiled(inner.clone(), fault, Mutex::default());
    block_on(pair_source::judge_profiles(&broken, &inner))
}

const BAD_LISTS: &[(BadList, &[&str])] = &[
    (BadList::LosesTheLast, &["every_profile_is_listed_once", "what_cannot_be_read_costs_no_other"]),
    (
        BadList::FailsForOneThatCannotBeRead,
        &["what_cannot_be_read_costs_no_other", "each_answer_to_it_is_told_as_what_it_means"],
    ),
    (BadList::CountsNothing, &["what_cannot_be_read_costs_no_other"]),
    (BadList::ListsAgain, &["one_listing_is_one_request"]),
    (
        BadList::KeepsItsListing,
        &[
            "every_profile_is_listed_once",
            "what_cannot_be_read_costs_no_other",
            "one_listing_is_one_request",
            "each_answer_to_it_is_told_as_what_it_means",
        ],
    ),
    (BadList::TellsAllAsTransient, &["each_answer_to_it_is_told_as_what_it_means"]),
];

#[test]
fn the_suite_of_profiles_notices_each_fault() {
    assert_noticed(BadList::Sound, BAD_LISTS, judged_profiles);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BadTokens {
    Sound,
    AddsUp,
    HidesWhatIsNoMint,
    IsEmptyWhenItFails,
    StaysBroken,
    ListsAThousand,
    ChangesItsOrigin,
}

struct Tokens(FakeTokenSource, BadTokens, Mutex<Listing>, Mutex<bool>);

#[async_trait]
impl TokenSource for Tokens {
    fn origin(&self) -> Origin {
        match self.1 {
            BadTokens::ChangesItsOrigin if self.0.calls() > 0 => Origin::new("other"),
            _ => self.0.origin(),
        }
    }

    async fn list(&self) -> Result<Listing, TokenSourceError> {
        let Self(inner, fault, seen, failed) = self;
        let outcome = inner.list().await;
        let mut failed = failed.lock().expect("nothing panics with it");
        *failed |= outcome.is_err();
        match (fault, outcome) {
            (BadTokens::AddsUp, Ok(mut listing)) => {
                let mut seen = seen.lock().expect("nothing panics with it");
                seen.mints.append(&mut listing.mints);
                Ok(Listing { mints: seen.mints.clone(), ..listing })
            }
            (BadTokens::HidesWhatIsNoMint, Ok(listing)) => {
                Ok(Listing { mints: listing.mints, ..Listing::default() })
            }
            (BadTokens::IsEmptyWhenItFails, Err(_)) => Ok(Listing::default()),
            (BadTokens::StaysBroken, Ok(_)) if *failed => {
                Err(TokenSourceError::Transient { message: "still".to_owned() })
            }
            (BadTokens::ListsAThousand, Ok(listing)) => {
                Ok(Listing { mints: listing.mints.into_iter().take(1_000).collect(), ..listing })
            }
            (_, outcome) => outcome,
        }
    }
}

fn judged_tokens(fault: BadTokens) -> Laws {
    let inner = FakeTokenSource::new(Origin::new("fake"));
    let put = async |entries: Vec<String>| {
        inner.heal();
        inner.put(entries);
    };
    let spoil = async || inner.fail_with(|| TokenSourceError::Transient { message: "gone".to_owned() });
    let broken = Tokens(inner.clone(), fault, Mutex::default(), Mutex::default());
    block_on(token_source::judge(&broken, put, spoil))
}

const BAD_TOKENS: &[(BadTokens, &[&str])] = &[
    (
        BadTokens::AddsUp,
        &[
            "a_listing_is_the_whole_set_and_each_mint_once",
            "what_is_no_mint_is_told",
            "an_error_is_no_empty_listing_and_passes",
        ],
    ),
    (BadTokens::HidesWhatIsNoMint, &["what_is_no_mint_is_told"]),
    (BadTokens::IsEmptyWhenItFails, &["an_error_is_no_empty_listing_and_passes"]),
    (BadTokens::StaysBroken, &["an_error_is_no_empty_listing_and_passes", "ten_thousand_mints_are_listed"]),
    (BadTokens::ListsAThousand, &["ten_thousand_mints_are_listed"]),
    (BadTokens::ChangesItsOrigin, &["the_origin_is_the_same_at_every_call"]),
];

#[test]
fn the_suite_of_lists_notices_each_fault() {
    assert_noticed(BadTokens::Sound, BAD_TOKENS, judged_tokens);
}
