//! The laws of [`TokenStore`]. Each law uses mints of its own, so that all of them can share one store, whatever else is
//! in it; they claim epochs, so they run one after the other.
//!
//! ```
//! use ttm_market::TokenStore;
//! use ttm_market::testing::{FakeTokenStore, conformance};
//!
//! # async fn suite() {
//! let memory = FakeTokenStore::new();
//! conformance::token_store::check(async || Box::new(memory.clone()) as Box<dyn TokenStore>).await;
//! # }
//! ```

use jiff::Timestamp;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use ttm_kernel::check_laws;
use ttm_kernel::testing::Laws;
use ttm_kernel::{Epoch, FencedBy, FencingToken, StoreErrorKind};

use super::fixture::{
    ANY, add, assert_fails, assert_fenced, at, claim, generated, load_all, mint, mints, stored,
};
use crate::testing::token_of;
use crate::{Added, Basis, Mint, Origin, Token, TokenStatus, TokenStore};

/// Checks every law, and panics with those that do not hold. Each call of `open` opens the same store again, as a restarted process
/// would, without removing what is in it; the store before was dropped.
pub async fn check(open: impl AsyncFn() -> Box<dyn TokenStore>) {
    judge(open).await.assert_hold();
}

/// Checks every law, and says which do not hold.
pub async fn judge(open: impl AsyncFn() -> Box<dyn TokenStore>) -> Laws {
    let mut laws = Laws::of("TokenStore");
    check_laws!(laws:
        what_was_acknowledged_survives_reopening(&open),
        an_older_epoch_stays_fenced_after_reopening(&open),
    );
    let store = open().await;
    let store = store.as_ref();
    check_laws!(laws:
        any_token_comes_back_exactly_as_saved(store),
        times_are_kept_to_the_microsecond(store),
        an_older_epoch_stores_nothing(store),
        saving_twice_is_saving_once(store),
        an_empty_save_works(store),
        a_removed_token_never_comes_back(store),
        a_known_token_stays_as_it_is_when_added_again(store),
        an_archived_token_is_monitored_when_added_again(store),
        duplicates_in_an_addition_count_once(store),
        the_revision_tells_edits_and_not_saves(store),
        a_store_that_never_granted_the_epoch_is_another_one(store),
        pages_hold_every_token_once_in_the_order_of_the_mints(store),
        ten_thousand_tokens_go_through_at_once(store),
    );
    super::follow::check(&mut laws, &open, store).await;
    super::incarnations::check(&mut laws, &open, store).await;
    check_laws!(laws: what_was_closed_opens_again_with_all_that_was_in_it(&open));
    laws
}

/// Law 12.
async fn what_was_closed_opens_again_with_all_that_was_in_it(open: impl AsyncFn() -> Box<dyn TokenStore>) {
    let mint = mint(15, 0);
    let store = open().await;
    add(store.as_ref(), &[mint]).await;
    store.close().await;
    drop(store);
    let store = open().await;
    assert_eq!(stored(store.as_ref(), &[mint]).await, [Token::new(mint, at(0))]);
}

/// Law 11, on one store as two processes see it: `holder` holds its lease and `other` does not.
pub async fn only_the_holder_of_the_lease_claims(holder: &dyn TokenStore, other: &dyn TokenStore) {
    let mint = mint(14, 0);
    add(other, &[mint]).await;
    let under = claim(holder).await;
    let refused = other.claim().await;
    assert_fails(StoreErrorKind::Transient { retry_after: None }, &refused);
    let token = generated(mint, &mut TestRunner::deterministic());
    holder.save(under, std::slice::from_ref(&token)).await.expect("the holder is not fenced off");
    assert_eq!(stored(other, &[mint]).await, [token]);
    let next = claim(holder).await;
    assert!(next > under, "{next:?} was claimed after {under:?}");
    assert_eq!(other.remove(&[mint]).await.expect("remove works"), 1);
}

/// Law 1, after a restart. What a crash does to the store needs a process to kill, and is tested where there is one.
async fn what_was_acknowledged_survives_reopening(open: impl AsyncFn() -> Box<dyn TokenStore>) {
    let mints = mints(1, 3);
    let saved = generated(mints[0], &mut TestRunner::deterministic());
    let store = open().await;
    let revision = {
        let store = store.as_ref();
        add(store, &mints).await;
        let under = claim(store).await;
        store.save(under, std::slice::from_ref(&saved)).await.expect("save works");
        store.remove(&mints[2..]).await.expect("remove works");
        store.revision(ANY).await.expect("revision answers")
    };
    drop(store);
    let store = open().await;
    assert_eq!(stored(store.as_ref(), &mints).await, [saved, Token::new(mints[1], at(0))]);
    assert_eq!(store.revision(ANY).await.expect("revision answers"), revision);
}

/// Law 3, after a restart.
async fn an_older_epoch_stays_fenced_after_reopening(open: impl AsyncFn() -> Box<dyn TokenStore>) {
    let mints = mints(2, 1);
    let store = open().await;
    add(store.as_ref(), &mints).await;
    let older = claim(store.as_ref()).await;
    let newer = claim(store.as_ref()).await;
    drop(store);
    let store = open().await;
    let token = generated(mints[0], &mut TestRunner::deterministic());
    let tokens = std::slice::from_ref(&token);
    assert_fenced(FencedBy::Epoch, &store.save(older, tokens).await);
    store.save(newer, tokens).await.expect("the newest claim holds until the next one");
    let next = claim(store.as_ref()).await;
    assert!(next > newer, "{next:?} was claimed after {newer:?}");
}

/// Law 1: every field, every state.
async fn any_token_comes_back_exactly_as_saved(store: &dyn TokenStore) {
    let mut runner = TestRunner::deterministic();
    let mints = mints(3, 200);
    add(store, &mints).await;
    let under = claim(store).await;
    for _ in 0..3 {
        let state =
            |mint: &Mint| token_of(*mint).new_tree(&mut runner).expect("nothing is rejected").current();
        let mut tokens: Vec<Token> = mints.iter().map(state).collect();
        store.save(under, &tokens).await.expect("save works");
        tokens.sort_by_key(|token| token.mint);
        for (got, expected) in stored(store, &mints).await.iter().zip(&tokens) {
            assert_eq!(got, expected);
        }
        assert_eq!(stored(store, &mints).await.len(), tokens.len());
    }
}

/// Law 1.
async fn times_are_kept_to_the_microsecond(store: &dyn TokenStore) {
    let mint = mint(4, 0);
    add(store, &[mint]).await;
    let under = claim(store).await;
    let fine = Timestamp::from_nanosecond(1_700_000_000_123_456_789).expect("in range");
    let mut token = generated(mint, &mut TestRunner::deterministic());
    token.first_seen = fine;
    token.below_since = Some(fine);
    if let Some(score) = &mut token.score {
        score.at = fine;
        score.basis = Basis::All { listed_at: fine };
    }
    store.save(under, &[token]).await.expect("save works");
    let got = stored(store, &[mint]).await.remove(0);
    let scored = got.score.expect("the score was saved");
    let Basis::All { listed_at } = scored.basis else {
        panic!("the basis was a full list: {:?}", scored.basis)
    };
    for time in [got.first_seen, got.below_since.expect("it was saved"), scored.at, listed_at] {
        let off = time.duration_since(fine).abs();
        assert!(off < jiff::SignedDuration::from_micros(1), "{time} is {off} away from {fine}");
    }
}

/// Laws 2 and 3.
async fn an_older_epoch_stores_nothing(store: &dyn TokenStore) {
    let mints = mints(5, 3);
    add(store, &mints).await;
    let before = stored(store, &mints).await;
    let older = claim(store).await;
    let newer = claim(store).await;
    assert!(newer > older, "{newer:?} was claimed after {older:?}");
    let mut runner = TestRunner::deterministic();
    let tokens: Vec<Token> = mints.iter().map(|mint| generated(*mint, &mut runner)).collect();
    assert_fenced(FencedBy::Epoch, &store.save(older, &tokens).await);
    assert_eq!(stored(store, &mints).await, before);
    store.save(newer, &tokens).await.expect("the newest epoch may write");
    assert_ne!(stored(store, &mints).await, before);
}

/// Law 2: a save whose acknowledgement was lost is sent again.
async fn saving_twice_is_saving_once(store: &dyn TokenStore) {
    let mint = mint(6, 0);
    add(store, &[mint]).await;
    let under = claim(store).await;
    let tokens = [generated(mint, &mut TestRunner::deterministic())];
    for _ in 0..2 {
        store.save(under, &tokens).await.expect("save works");
        assert_eq!(stored(store, &[mint]).await, tokens);
    }
}

/// Law 2, its smallest case.
async fn an_empty_save_works(store: &dyn TokenStore) {
    let under = claim(store).await;
    store.save(under, &[]).await.expect("an empty save works");
}

/// Law 4: neither a token that was removed nor one that never was appears, and those beside it are stored.
async fn a_removed_token_never_comes_back(store: &dyn TokenStore) {
    let mints = mints(7, 3);
    add(store, &mints[..2]).await;
    let under = claim(store).await;
    let removed = store.remove(&[mints[0], mints[0], mints[2]]).await.expect("remove works");
    assert_eq!(removed, 1, "one of them was there, once");
    let mut runner = TestRunner::deterministic();
    let tokens: Vec<Token> = mints.iter().map(|mint| generated(*mint, &mut runner)).collect();
    store.save(under, &tokens).await.expect("save works");
    assert_eq!(stored(store, &mints).await, tokens[1..2]);
    assert_eq!(store.remove(&mints).await.expect("remove works"), 1);
    assert_eq!(store.remove(&mints).await.expect("remove works"), 0);
}

/// Law 5.
async fn a_known_token_stays_as_it_is_when_added_again(store: &dyn TokenStore) {
    let mints = mints(8, 2);
    assert_eq!(add(store, &mints).await, Added { new: 2, revived: 0, known: 0 });
    assert_eq!(
        stored(store, &mints).await,
        mints.iter().map(|mint| Token::new(*mint, at(0))).collect::<Vec<_>>()
    );
    let mut runner = TestRunner::deterministic();
    let mut tokens: Vec<Token> = mints.iter().map(|mint| generated(*mint, &mut runner)).collect();
    tokens[0].status = TokenStatus::Monitored;
    tokens[1].status = TokenStatus::Active;
    let under = claim(store).await;
    store.save(under, &tokens).await.expect("save works");
    let added = store.add(&mints, at(99)).await.expect("add works");
    assert_eq!(added, Added { new: 0, revived: 0, known: 2 });
    assert_eq!(stored(store, &mints).await, tokens);
}

/// Law 5.
async fn an_archived_token_is_monitored_when_added_again(store: &dyn TokenStore) {
    let mints = mints(9, 2);
    add(store, &mints[..1]).await;
    let mut token = generated(mints[0], &mut TestRunner::deterministic());
    token.status = TokenStatus::Archived;
    let under = claim(store).await;
    store.save(under, std::slice::from_ref(&token)).await.expect("save works");
    let before = store.revision(ANY).await.expect("revision answers");
    let added = store.add(&mints, at(99)).await.expect("add works");
    assert_eq!(added, Added { new: 1, revived: 1, known: 0 });
    token.status = TokenStatus::Monitored;
    assert_eq!(stored(store, &mints).await, [token, Token::new(mints[1], at(99))]);
    assert_ne!(store.revision(ANY).await.expect("revision answers"), before);
}

/// Law 5.
async fn duplicates_in_an_addition_count_once(store: &dyn TokenStore) {
    let mint = mint(10, 0);
    assert_eq!(add(store, &[mint; 3]).await, Added { new: 1, revived: 0, known: 0 });
    assert_eq!(add(store, &[mint; 3]).await, Added { new: 0, revived: 0, known: 1 });
    assert_eq!(add(store, &[]).await, Added { new: 0, revived: 0, known: 0 });
    assert_eq!(stored(store, &[mint]).await.len(), 1);
}

/// Law 6.
async fn the_revision_tells_edits_and_not_saves(store: &dyn TokenStore) {
    let mint = mint(11, 0);
    let revision = async || store.revision(ANY).await.expect("revision answers");
    let empty = revision().await;
    add(store, &[mint]).await;
    let added = revision().await;
    assert!(added > empty, "a token was added");
    let under = claim(store).await;
    let mut token = generated(mint, &mut TestRunner::deterministic());
    token.status = TokenStatus::Archived;
    store.save(under, &[token]).await.expect("save works");
    assert_eq!(revision().await, added, "a save is no edit");
    add(store, &[mint]).await;
    let revived = revision().await;
    assert!(revived > added, "an archived token was added again");
    store.remove(&[mint]).await.expect("remove works");
    let removed = revision().await;
    assert!(removed > revived, "a token was removed");
}

/// Laws 3 and 6.
async fn a_store_that_never_granted_the_epoch_is_another_one(store: &dyn TokenStore) {
    let (mint, second) = (mint(16, 0), mint(16, 1));
    add(store, &[mint]).await;
    let older = claim(store).await;
    let newest = claim(store).await;
    let of = async |epoch| store.revision(epoch).await;
    assert_eq!(
        of(older.epoch()).await.expect("it was granted here"),
        of(newest.epoch()).await.expect("it was granted here")
    );
    let before = stored(store, &[mint]).await;
    let (strange, origin) = (Epoch::new(newest.epoch().number() + 1), Origin::new("suite-other"));
    let under = FencingToken::first(strange);
    let scored = generated(mint, &mut TestRunner::deterministic());
    for refused in [
        of(strange).await.map(drop),
        store.save(under, &[scored]).await,
        store.follow(under, origin, &[], at(1)).await.map(drop),
        store.follow(under, origin, &[mint, second], at(1)).await.map(drop),
    ] {
        assert_fails(StoreErrorKind::Corrupt, &refused);
    }
    assert_eq!(stored(store, &[mint, second]).await, before);
}

/// Law 7.
async fn pages_hold_every_token_once_in_the_order_of_the_mints(store: &dyn TokenStore) {
    let mut mints = mints(12, 25);
    add(store, &mints).await;
    let all = load_all(store).await;
    assert!(all.is_sorted_by(|a, b| a.mint < b.mint), "ascending, none twice");
    mints.sort_unstable();
    let own: Vec<Mint> = all.iter().map(|token| token.mint).filter(|mint| mints.contains(mint)).collect();
    assert_eq!(own, mints);
    for limit in [1, 7, 25, 26] {
        let page = store.load(Some(mints[3]), limit).await.expect("load answers");
        let expected: Vec<&Token> = all.iter().filter(|token| token.mint > mints[3]).take(limit).collect();
        assert_eq!(page.iter().collect::<Vec<_>>(), expected, "{limit} after the fourth");
    }
    store.remove(&mints[3..4]).await.expect("remove works");
    let page = store.load(Some(mints[3]), 1).await.expect("load answers");
    assert_eq!(page[0].mint, mints[4], "a mint that is gone is still a place in the order");
    assert_eq!(store.load(None, 0).await.expect("load answers"), []);
    assert_eq!(store.load(Some(Mint::from_bytes([255; 32])), 10).await.expect("load answers"), []);
}

/// Laws 1, 2 and 5, for calls that no adapter does in one statement.
async fn ten_thousand_tokens_go_through_at_once(store: &dyn TokenStore) {
    let mints = mints(13, 10_000);
    assert_eq!(add(store, &mints).await, Added { new: 10_000, revived: 0, known: 0 });
    let template = generated(mints[0], &mut TestRunner::deterministic());
    let tokens: Vec<Token> = mints.iter().map(|mint| Token { mint: *mint, ..template.clone() }).collect();
    let under = claim(store).await;
    store.save(under, &tokens).await.expect("save works");
    let mut kept = load_all(store).await;
    kept.retain(|token| token.mint.as_bytes()[0] == 13);
    assert_eq!(kept.len(), tokens.len());
    assert!(kept.iter().all(|token| *token == Token { mint: token.mint, ..template.clone() }));
    assert_eq!(store.remove(&mints).await.expect("remove works"), 10_000);
}
