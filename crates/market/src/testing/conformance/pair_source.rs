//! The laws of [`PairSource`] and of [`ProfileSource`]. The test brings what stands at the other end, as strict as the real API: it says
//! how often it was asked, and answers in its own words.

use std::collections::BTreeSet;

use ttm_kernel::check_laws;
use ttm_kernel::testing::{Laws, cancelled_after, expect, works};

use crate::{MAX_BATCH, Mint, PairSource, PairSourceError, ProfileSource};

/// What the API answers from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// With what it lists.
    #[default]
    Lists,
    /// That it cannot just now.
    Unavailable,
    /// That this client asks too often.
    Limits,
    /// That it does not serve this client.
    Forbids,
    /// That the request is wrong.
    Rejects,
    /// With a body that is not what it promises.
    Garbles,
}

impl Answer {
    const ALL: [Self; 6] =
        [Self::Lists, Self::Unavailable, Self::Limits, Self::Forbids, Self::Rejects, Self::Garbles];

    fn is_told_by<T>(self, outcome: &Result<T, PairSourceError>) -> bool {
        match outcome {
            Ok(_) => self == Self::Lists,
            Err(PairSourceError::Transient { .. }) => self == Self::Unavailable,
            Err(PairSourceError::RateLimited { .. }) => self == Self::Limits,
            Err(PairSourceError::Forbidden { .. }) => self == Self::Forbids,
            Err(PairSourceError::Rejected { .. }) => self == Self::Rejects,
            Err(PairSourceError::Malformed { .. }) => self == Self::Garbles,
        }
    }
}

/// The other end of a source.
pub trait Upstream: Send + Sync {
    /// How it answers from now on.
    fn answers(&self, answer: Answer);

    /// How many requests it has got.
    fn requests(&self) -> usize;
}

/// One that lists pools.
pub trait Exchange: Upstream {
    /// Lists so many pools of a mint from now on, in place of those before, and beside them one in which it is the quote.
    fn lists(&self, mint: Mint, pools: usize);
}

/// One that lists profiles.
pub trait Profiles: Upstream {
    /// Lists these from now on, in place of those before, and beside them so many that cannot be read.
    fn lists(&self, mints: &[Mint], unreadable: usize);
}

/// Checks every law of a source of pools, and panics with those that do not hold.
///
/// ```
/// use ttm_market::testing::FakePairSource;
/// use ttm_market::testing::conformance::pair_source;
///
/// # async fn suite() {
/// // The fake is its own other end.
/// let source = FakePairSource::new();
/// pair_source::check(&source, &source).await;
/// # }
/// ```
pub async fn check(source: &dyn PairSource, exchange: &dyn Exchange) {
    judge(source, exchange).await.assert_hold();
}

/// Checks every law of a source of pools, and says which do not hold.
pub async fn judge(source: &dyn PairSource, exchange: &dyn Exchange) -> Laws {
    let mut laws = Laws::of("PairSource");
    check_laws!(laws:
        every_pair_is_of_a_mint_that_was_asked_for(source, exchange),
        a_mint_without_a_pair_is_not_found(source, exchange),
        a_full_batch_is_answered(source, exchange),
        one_call_is_one_request(source, exchange),
        an_answer_is_what_is_there_now(source, exchange),
        each_answer_is_told_as_what_it_means(source, exchange),
        a_call_that_is_dropped_is_abandoned(source, exchange),
    );
    laws
}

/// Checks every law of a source of profiles, and panics with those that do not hold.
///
/// ```
/// use ttm_market::testing::FakeProfileSource;
/// use ttm_market::testing::conformance::pair_source;
///
/// # async fn suite() {
/// let source = FakeProfileSource::new();
/// pair_source::check_profiles(&source, &source).await;
/// # }
/// ```
pub async fn check_profiles(source: &dyn ProfileSource, profiles: &dyn Profiles) {
    judge_profiles(source, profiles).await.assert_hold();
}

/// Checks every law of a source of profiles, and says which do not hold.
pub async fn judge_profiles(source: &dyn ProfileSource, profiles: &dyn Profiles) -> Laws {
    let mut laws = Laws::of("ProfileSource");
    check_laws!(laws:
        every_profile_is_listed_once(source, profiles),
        what_cannot_be_read_costs_no_other(source, profiles),
        one_listing_is_one_request(source, profiles),
        each_answer_to_it_is_told_as_what_it_means(source, profiles),
    );
    laws
}

fn mint(law: u8, number: u8) -> Mint {
    let mut bytes = [9; 32];
    (bytes[0], bytes[31]) = (law, number);
    Mint::from_bytes(bytes)
}

async fn primary(source: &dyn PairSource, mints: &[Mint]) -> Vec<Mint> {
    let batch = works("primary_pairs", source.primary_pairs(mints).await);
    let mut bases: Vec<Mint> = batch.pairs.iter().map(|pair| pair.base.mint).collect();
    bases.sort_unstable();
    bases
}

async fn all(source: &dyn PairSource, mint: Mint) -> Vec<Mint> {
    let batch = works("all_pairs", source.all_pairs(mint).await);
    batch.pairs.iter().map(|pair| pair.base.mint).collect()
}

/// Law 1.
async fn every_pair_is_of_a_mint_that_was_asked_for(source: &dyn PairSource, exchange: &dyn Exchange) {
    exchange.answers(Answer::Lists);
    let [one, other, third] = [0, 1, 2].map(|number| mint(1, number));
    for (mint, pools) in [(one, 3), (other, 1), (third, 2)] {
        exchange.lists(mint, pools);
    }
    expect("the tokens of primary pools", [one, other], primary(source, &[other, one]).await);
    expect("the tokens of all pools", [one; 3], all(source, one).await);
}

/// Law 2.
async fn a_mint_without_a_pair_is_not_found(source: &dyn PairSource, exchange: &dyn Exchange) {
    exchange.answers(Answer::Lists);
    let [one, nobody] = [0, 1].map(|number| mint(2, number));
    exchange.lists(one, 1);
    expect("the tokens of primary pools", [one], primary(source, &[one, nobody]).await);
    expect("the tokens of primary pools", [], primary(source, &[nobody]).await);
    expect("the tokens of all pools", [], all(source, nobody).await);
}

async fn a_full_batch_is_answered(source: &dyn PairSource, exchange: &dyn Exchange) {
    exchange.answers(Answer::Lists);
    let mints: Vec<Mint> = (0..).take(MAX_BATCH).map(|number| mint(3, number)).collect();
    for mint in &mints {
        exchange.lists(*mint, 1);
    }
    expect("the tokens of primary pools", mints.clone(), primary(source, &mints).await);
}

/// Laws 3 and 4: whatever is answered.
async fn one_call_is_one_request(source: &dyn PairSource, exchange: &dyn Exchange) {
    let mint = mint(4, 0);
    exchange.lists(mint, 1);
    for answer in Answer::ALL.into_iter().chain(Answer::ALL) {
        exchange.answers(answer);
        let before = exchange.requests();
        let _any = source.primary_pairs(&[mint]).await;
        expect(format!("requests of a batch, {answer:?}"), 1, exchange.requests() - before);
        let _any = source.all_pairs(mint).await;
        expect(format!("requests of a list, {answer:?}"), 2, exchange.requests() - before);
    }
}

/// Law 4.
async fn an_answer_is_what_is_there_now(source: &dyn PairSource, exchange: &dyn Exchange) {
    exchange.answers(Answer::Lists);
    let mint = mint(5, 0);
    for pools in [1, 2, 0, 1] {
        exchange.lists(mint, pools);
        expect("the tokens of all pools", vec![mint; pools], all(source, mint).await);
        expect("the tokens of primary pools", vec![mint; pools.min(1)], primary(source, &[mint]).await);
    }
}

/// What the caller does next depends on it; and no answer changes how the next one is told.
async fn each_answer_is_told_as_what_it_means(source: &dyn PairSource, exchange: &dyn Exchange) {
    let mint = mint(6, 0);
    exchange.lists(mint, 1);
    for answer in Answer::ALL.into_iter().rev().chain(Answer::ALL) {
        exchange.answers(answer);
        let outcome = source.primary_pairs(&[mint]).await;
        assert!(answer.is_told_by(&outcome), "a batch: expected {answer:?} to be told, got {outcome:?}");
        let outcome = source.all_pairs(mint).await;
        assert!(answer.is_told_by(&outcome), "a list: expected {answer:?} to be told, got {outcome:?}");
    }
}

/// Law 3: at most one request, and none later.
async fn a_call_that_is_dropped_is_abandoned(source: &dyn PairSource, exchange: &dyn Exchange) {
    exchange.answers(Answer::Lists);
    let mint = mint(7, 0);
    exchange.lists(mint, 1);
    for polls in 0..4 {
        let before = exchange.requests();
        let _any = cancelled_after(polls, source.primary_pairs(&[mint])).await;
        expect("the tokens of all pools, after it", [mint], all(source, mint).await);
        let requests = exchange.requests() - before;
        assert!(
            (1..=2).contains(&requests),
            "requests of a call that was dropped and one more: expected 1 or 2, got {requests}"
        );
    }
}

/// Law 1 of profiles.
async fn every_profile_is_listed_once(source: &dyn ProfileSource, profiles: &dyn Profiles) {
    profiles.answers(Answer::Lists);
    let mints = [0, 1, 2].map(|number| mint(8, number));
    for listed in [&[mints[0], mints[1], mints[0]][..], &mints[1..], &[]] {
        profiles.lists(listed, 0);
        let listing = works("latest_profiles", source.latest_profiles().await);
        expect("mints", listed.iter().copied().collect::<BTreeSet<Mint>>(), listing.mints);
        expect("entries that cannot be read", 0, listing.unusable.count());
    }
}

/// Law 2 of profiles.
async fn what_cannot_be_read_costs_no_other(source: &dyn ProfileSource, profiles: &dyn Profiles) {
    profiles.answers(Answer::Lists);
    let mints = [0, 1].map(|number| mint(9, number));
    profiles.lists(&mints, 3);
    let listing = works("latest_profiles", source.latest_profiles().await);
    expect("mints", BTreeSet::from(mints), listing.mints);
    expect("entries that cannot be read", 3, listing.unusable.count());
}

/// Laws 3 and 4 of profiles.
async fn one_listing_is_one_request(source: &dyn ProfileSource, profiles: &dyn Profiles) {
    for answer in Answer::ALL.into_iter().chain(Answer::ALL) {
        profiles.answers(answer);
        let before = profiles.requests();
        let _any = source.latest_profiles().await;
        expect(format!("requests, {answer:?}"), 1, profiles.requests() - before);
    }
}

async fn each_answer_to_it_is_told_as_what_it_means(source: &dyn ProfileSource, profiles: &dyn Profiles) {
    for answer in Answer::ALL.into_iter().rev().chain(Answer::ALL) {
        profiles.answers(answer);
        let outcome = source.latest_profiles().await;
        assert!(answer.is_told_by(&outcome), "expected {answer:?} to be told, got {outcome:?}");
    }
}
