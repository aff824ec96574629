//! Mints, states and questions that the laws of a [`TokenStore`] share.

use jiff::Timestamp;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use ttm_kernel::{Epoch, FencedBy, FencingToken, StoreError, StoreErrorKind};

use crate::testing::token_of;
use crate::{Added, Mint, Token, TokenStore};

/// An epoch that every store may be asked under.
pub(super) const ANY: Epoch = Epoch::new(0);

/// The `number`-th mint of a law.
pub(super) fn mint(law: u8, number: u32) -> Mint {
    let mut bytes = [0_u8; 32];
    bytes[0] = law;
    bytes[28..].copy_from_slice(&number.to_be_bytes());
    // So that the law is not all that leads the order.
    bytes[1] = number.to_le_bytes()[0];
    Mint::from_bytes(bytes)
}

pub(super) fn mints(law: u8, count: u32) -> Vec<Mint> {
    (0..count).map(|number| mint(law, number)).collect()
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("the suite's times are in range")
}

/// A state in which every field is set.
pub(super) fn generated(mint: Mint, runner: &mut TestRunner) -> Token {
    let full = |token: &Token| {
        token.symbol.is_some()
            && token.score.is_some()
            && token.below_since.is_some()
            && token.unlisted.is_some()
    };
    let token = token_of(mint).prop_filter("every field is set", full);
    token.new_tree(runner).expect("a few tries are enough").current()
}

/// Every stored token, page by page.
pub(super) async fn load_all(store: &dyn TokenStore) -> Vec<Token> {
    let mut all: Vec<Token> = Vec::new();
    loop {
        let after = all.last().map(|token| token.mint);
        let page = store.load(after, 1_000).await.expect("load answers");
        let Some(last) = page.last() else { return all };
        let is_further = after.is_none_or(|after| last.mint > after);
        assert!(is_further, "a page: expected it to end after {after:?}, got {}", last.mint);
        all.extend(page);
    }
}

/// The stored tokens with these mints.
pub(super) async fn stored(store: &dyn TokenStore, mints: &[Mint]) -> Vec<Token> {
    load_all(store).await.into_iter().filter(|token| mints.contains(&token.mint)).collect()
}

pub(super) async fn add(store: &dyn TokenStore, mints: &[Mint]) -> Added {
    store.add(mints, at(0)).await.expect("add works")
}

/// What a process that starts now writes under.
pub(super) async fn claim(store: &dyn TokenStore) -> FencingToken {
    FencingToken::first(store.claim().await.expect("claim works"))
}

pub(super) fn assert_fails<T: std::fmt::Debug>(kind: StoreErrorKind, outcome: &Result<T, StoreError>) {
    assert_eq!(outcome.as_ref().map_err(StoreError::kind).err(), Some(kind), "{outcome:?}");
}

pub(super) fn assert_fenced<T: std::fmt::Debug>(by: FencedBy, outcome: &Result<T, StoreError>) {
    assert_fails(StoreErrorKind::Fenced { by }, outcome);
}
