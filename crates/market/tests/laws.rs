//! The fakes obey the laws that they stand in for, and the strategies make what they promise.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use ttm_kernel::StoreError;

use jiff::Timestamp;
use proptest::prelude::*;
use ttm_market::testing::{
    FakePairSource, FakeTokenSource, FakeTokenStore, PairCall, conformance, mint, pair, pairs, timestamp,
    token,
};
use ttm_market::{
    MarketConfig, Mint, Origin, PairSource, PairSourceError, SkipReason, Token, TokenIndex, TokenPage,
    TokenQuery, TokenRow, TokenSourceError, TokenStore, TokenView, row,
};

/// Runs a future that never waits for anything outside itself.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

#[test]
fn the_fake_store_obeys_every_law() {
    let memory = FakeTokenStore::new();
    block_on(conformance::token_store::check(async || Box::new(memory.clone()) as Box<dyn TokenStore>));
}

#[test]
fn the_fake_list_obeys_every_law() {
    let source = FakeTokenSource::new(Origin::new("fake"));
    let put = async |entries: Vec<String>| {
        source.heal();
        source.put(entries);
    };
    let spoil = async || source.fail_with(|| TokenSourceError::Transient { message: "gone".to_owned() });
    block_on(conformance::token_source::check(&source, put, spoil));
    assert_eq!(source.calls(), 8);
}

#[test]
fn the_fake_store_fails_on_request_and_keeps_what_was_stored() {
    let store = FakeTokenStore::new();
    block_on(store.add(&[Mint::WSOL], Timestamp::UNIX_EPOCH)).expect("works");
    store.fail_with(|| StoreError::transient("gone"));
    let error = block_on(store.claim()).expect_err("fails");
    assert_eq!(error.to_string(), "the store is unavailable: gone");
    assert!(block_on(store.remove(&[Mint::WSOL])).is_err());
    store.heal();
    assert_eq!(block_on(store.load(None, 9)).expect("works"), store.tokens());
    assert_eq!(store.tokens(), [Token::new(Mint::WSOL, Timestamp::UNIX_EPOCH)]);
    assert_eq!((store.saves(), store.connections()), (0, None), "it has no pool of them");
}

/// A view as an application has one: rows are made when they are asked for.
struct Snapshot(TokenIndex, Timestamp);

impl TokenView for Snapshot {
    fn page(&self, query: &TokenQuery) -> TokenPage {
        let (tokens, next) = self.0.page(query);
        TokenPage { tokens: tokens.iter().map(|token| row(token, self.1, self.0.config())).collect(), next }
    }

    fn get(&self, mint: &Mint) -> Option<TokenRow> {
        Some(row(self.0.get(mint)?, self.1, self.0.config()))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn pages_of_any_tokens_obey_every_law(
        tokens in prop::collection::vec(token(), 0..24),
        now in timestamp(),
    ) {
        let all: BTreeSet<Mint> = tokens.iter().map(|token| token.mint).collect();
        let mut index = TokenIndex::new(MarketConfig::default());
        for token in tokens {
            index.insert(Arc::new(token));
        }
        conformance::token_view::check(&Snapshot(index, now), &all);
    }

    #[test]
    fn the_fake_source_answers_with_what_was_put_in(
        (mint, pools) in mint().prop_flat_map(|mint| (Just(mint), pairs(mint))),
        foreign in pair(Mint::USDC),
    ) {
        let source = FakePairSource::new();
        source.put(mint, pools.iter().cloned().chain([foreign]).collect());
        let all = block_on(source.all_pairs(mint)).expect("works");
        prop_assert_eq!(&all.pairs, &pools);
        prop_assert_eq!(all.skipped.count(SkipReason::QuoteSide), 1);
        let primary = block_on(source.primary_pairs(&[Mint::WSOL, mint])).expect("works").pairs;
        prop_assert_eq!(primary.len(), usize::from(!pools.is_empty()));
        let liquidity = |pair: &ttm_market::Pair| pair.liquidity_usd.unwrap_or(0.0);
        for primary in &primary {
            prop_assert!(pools.iter().all(|pool| liquidity(pool) <= liquidity(primary)));
        }
    }
}

#[test]
fn the_fake_source_fails_once_or_until_it_is_healed_and_records_every_request() {
    let source = FakePairSource::new();
    source.fail_once(PairSourceError::RateLimited { message: "429".to_owned(), retry_after: None });
    assert!(matches!(block_on(source.all_pairs(Mint::USDC)), Err(PairSourceError::RateLimited { .. })));
    assert!(block_on(source.all_pairs(Mint::USDC)).is_ok());
    source.fail_with(|| PairSourceError::Malformed { message: "cut".to_owned() });
    for _ in 0..2 {
        assert!(block_on(source.primary_pairs(&[Mint::USDC])).is_err());
    }
    source.heal();
    assert!(block_on(source.primary_pairs(&[Mint::USDC])).is_ok());
    let calls = source.calls();
    assert_eq!(calls.len(), 5);
    assert_eq!(calls[0], PairCall::All(Mint::USDC));
    assert_eq!(calls[4], PairCall::Primary(vec![Mint::USDC]));
}
