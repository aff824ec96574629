//! Law 13 of [`TokenStore`]: a writer that was restarted fences off its older incarnations. A part of the store's suite,
//! with mints of its own.

use proptest::test_runner::TestRunner;
use ttm_kernel::check_laws;
use ttm_kernel::testing::Laws;
use ttm_kernel::{FencedBy, FencingToken};

use super::fixture::{add, assert_fenced, at, claim, generated, mints, stored};
use crate::{Mint, Origin, TokenStore};

const LISTED: Origin = Origin::new("suite-incarnations");

pub(super) async fn check(
    laws: &mut Laws,
    open: impl AsyncFn() -> Box<dyn TokenStore>,
    store: &dyn TokenStore,
) {
    check_laws!(laws:
        an_older_incarnation_saves_nothing(store),
        an_older_incarnation_follows_nothing(store),
        the_first_write_of_an_incarnation_fences_off_older_ones_even_if_it_writes_nothing(store),
        writers_are_restarted_apart(store),
        a_claim_starts_again_at_incarnation_zero(store),
        an_older_incarnation_stays_fenced_after_reopening(&open),
    );
}

/// The token of the incarnation that replaces this one.
fn restarted(token: FencingToken) -> FencingToken {
    FencingToken::new(token.epoch(), token.incarnation().next())
}

async fn follow(store: &dyn TokenStore, under: FencingToken, mints: &[Mint]) {
    store.follow(under, LISTED, mints, at(7)).await.expect("the newest incarnation follows");
}

async fn an_older_incarnation_saves_nothing(store: &dyn TokenStore) {
    let mints = mints(17, 1);
    add(store, &mints).await;
    let mut runner = TestRunner::deterministic();
    let [first, late, second] = [(); 3].map(|()| generated(mints[0], &mut runner));
    let older = claim(store).await;
    let newer = restarted(restarted(older));
    store.save(older, &[first]).await.expect("there is no newer one yet");
    store.save(newer, std::slice::from_ref(&second)).await.expect("the newest incarnation saves");
    for under in [older, restarted(older)] {
        assert_fenced(FencedBy::Incarnation, &store.save(under, std::slice::from_ref(&late)).await);
        assert_eq!(stored(store, &mints).await, std::slice::from_ref(&second));
    }
    store.save(newer, &[late]).await.expect("a refusal changes nothing for the newest incarnation");
}

async fn an_older_incarnation_follows_nothing(store: &dyn TokenStore) {
    let mints = mints(18, 2);
    let older = claim(store).await;
    let newer = restarted(older);
    follow(store, older, &mints[..1]).await;
    follow(store, newer, &mints[..1]).await;
    for listed in [&mints[..], &mints[1..], &mints[..1], &[]] {
        assert_fenced(FencedBy::Incarnation, &store.follow(older, LISTED, listed, at(7)).await);
        assert_eq!(store.owned(LISTED).await.expect("owned answers"), mints[..1]);
    }
    follow(store, newer, &[]).await;
}

async fn the_first_write_of_an_incarnation_fences_off_older_ones_even_if_it_writes_nothing(
    store: &dyn TokenStore,
) {
    let older = claim(store).await;
    let newer = restarted(older);
    store.save(newer, &[]).await.expect("an empty save works");
    assert_fenced(FencedBy::Incarnation, &store.save(older, &[]).await);
    follow(store, newer, &[]).await;
    assert_fenced(FencedBy::Incarnation, &store.follow(older, LISTED, &[], at(7)).await);
}

async fn writers_are_restarted_apart(store: &dyn TokenStore) {
    let mints = mints(19, 1);
    let first = claim(store).await;
    let second = restarted(first);
    store.save(second, &[]).await.expect("its writer was restarted");
    follow(store, first, &mints).await;
    follow(store, restarted(second), &[]).await;
    store.save(second, &[]).await.expect("another writer was restarted");
}

async fn a_claim_starts_again_at_incarnation_zero(store: &dyn TokenStore) {
    let before = restarted(claim(store).await);
    store.save(before, &[]).await.expect("its writer was restarted");
    follow(store, before, &[]).await;
    let next = claim(store).await;
    assert_fenced(FencedBy::Epoch, &store.save(before, &[]).await);
    store.save(next, &[]).await.expect("another epoch has incarnations of its own");
    follow(store, next, &[]).await;
}

async fn an_older_incarnation_stays_fenced_after_reopening(open: impl AsyncFn() -> Box<dyn TokenStore>) {
    let store = open().await;
    let older = claim(store.as_ref()).await;
    let newer = restarted(older);
    store.save(newer, &[]).await.expect("its writer was restarted");
    follow(store.as_ref(), newer, &[]).await;
    drop(store);
    let store = open().await;
    assert_fenced(FencedBy::Incarnation, &store.save(older, &[]).await);
    assert_fenced(FencedBy::Incarnation, &store.follow(older, LISTED, &[], at(7)).await);
    store.save(newer, &[]).await.expect("it is still the newest incarnation");
    follow(store.as_ref(), newer, &[]).await;
}
