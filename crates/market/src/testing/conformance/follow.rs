//! The laws of [`TokenStore`] about listings: 3, 6 and 8 to 10. A part of the store's suite, with mints of its own.

use std::collections::BTreeSet;

use proptest::test_runner::TestRunner;
use ttm_kernel::FencedBy;
use ttm_kernel::check_laws;
use ttm_kernel::testing::Laws;

use super::fixture::{ANY, add, assert_fenced, at, claim, generated, mints, stored};
use crate::{Added, FOLLOW_STEP, Followed, Mint, Origin, Token, TokenStatus, TokenStore};

const FILE: Origin = Origin::new("suite-file");
const OTHER: Origin = Origin::new("suite-other");

pub(super) async fn check(
    laws: &mut Laws,
    open: impl AsyncFn() -> Box<dyn TokenStore>,
    store: &dyn TokenStore,
) {
    check_laws!(laws:
        what_is_followed_survives_reopening(&open),
        a_listing_adds_and_removes_what_its_origin_owns(store),
        what_another_owns_is_neither_touched_nor_taken_over(store),
        a_token_that_is_kept_stays_as_it_is(store),
        what_is_added_by_hand_outlives_the_listing(store),
        what_is_removed_comes_back_with_the_listing(store),
        following_changes_the_revision_only_with_the_set(store),
        an_older_epoch_follows_nothing(store),
        more_than_a_step_is_followed_to_the_end(store),
    );
}

/// Follows as the newest writer.
async fn follow(store: &dyn TokenStore, origin: Origin, mints: &[Mint]) -> Followed {
    let newest = claim(store).await;
    store.follow(newest, origin, mints, at(7)).await.expect("follow works")
}

/// What a law before may have left.
async fn forget(store: &dyn TokenStore) {
    for origin in [FILE, OTHER] {
        follow(store, origin, &[]).await;
    }
}

async fn owned(store: &dyn TokenStore, origin: Origin) -> BTreeSet<Mint> {
    store.owned(origin).await.expect("owned answers").into_iter().collect()
}

/// Laws 1 and 8.
async fn what_is_followed_survives_reopening(open: impl AsyncFn() -> Box<dyn TokenStore>) {
    let mints = mints(20, 2);
    let store = open().await;
    forget(store.as_ref()).await;
    follow(store.as_ref(), FILE, &mints).await;
    drop(store);
    let store = open().await;
    let store = store.as_ref();
    assert_eq!(owned(store, FILE).await, mints.iter().copied().collect());
    let again = follow(store, FILE, &mints[..1]).await;
    assert_eq!(again, Followed { removed: 1, kept: 1, ..Followed::default() });
    forget(store).await;
}

/// Law 8.
async fn a_listing_adds_and_removes_what_its_origin_owns(store: &dyn TokenStore) {
    forget(store).await;
    let mints = mints(21, 4);
    let twice = [mints[0], mints[1], mints[2], mints[1]];
    assert_eq!(follow(store, FILE, &twice).await, Followed { added: 3, ..Followed::default() });
    assert_eq!(follow(store, FILE, &twice).await, Followed { kept: 3, ..Followed::default() });
    let expected: Vec<Token> = mints[..3].iter().map(|mint| Token::new(*mint, at(7))).collect();
    assert_eq!(stored(store, &mints).await, expected);
    let next = Followed { added: 1, removed: 2, kept: 1, others: 0 };
    assert_eq!(follow(store, FILE, &mints[2..]).await, next);
    assert_eq!(stored(store, &mints).await.len(), 2);
    assert_eq!(owned(store, FILE).await, mints[2..].iter().copied().collect());
    assert_eq!(follow(store, FILE, &[]).await, Followed { removed: 2, ..Followed::default() });
    assert_eq!(stored(store, &mints).await, []);
}

/// Law 9.
async fn what_another_owns_is_neither_touched_nor_taken_over(store: &dyn TokenStore) {
    forget(store).await;
    let mints = mints(22, 3);
    add(store, &mints[..1]).await;
    follow(store, OTHER, &mints[1..2]).await;
    let before = stored(store, &mints[..2]).await;
    assert_eq!(follow(store, FILE, &mints).await, Followed { added: 1, others: 2, ..Followed::default() });
    assert_eq!(follow(store, FILE, &mints).await, Followed { kept: 1, others: 2, ..Followed::default() });
    assert_eq!(follow(store, FILE, &[]).await, Followed { removed: 1, ..Followed::default() });
    assert_eq!(stored(store, &mints).await, before, "they are where they were");
    assert_eq!(follow(store, OTHER, &[]).await, Followed { removed: 1, ..Followed::default() });
    assert_eq!(store.remove(&mints).await.expect("remove works"), 1);
}

/// Laws 9 and 10: whatever was saved stays, archived or not, and with its owner.
async fn a_token_that_is_kept_stays_as_it_is(store: &dyn TokenStore) {
    forget(store).await;
    let mints = mints(23, 3);
    follow(store, FILE, &mints).await;
    let mut runner = TestRunner::deterministic();
    let mut tokens: Vec<Token> = mints.iter().map(|mint| generated(*mint, &mut runner)).collect();
    for (token, status) in
        tokens.iter_mut().zip([TokenStatus::Monitored, TokenStatus::Active, TokenStatus::Archived])
    {
        token.status = status;
    }
    let epoch = claim(store).await;
    store.save(epoch, &tokens).await.expect("save works");
    assert_eq!(follow(store, FILE, &mints).await, Followed { kept: 3, ..Followed::default() });
    assert_eq!(stored(store, &mints).await, tokens);
    assert_eq!(follow(store, FILE, &[]).await, Followed { removed: 3, ..Followed::default() });
}

/// Law 10.
async fn what_is_added_by_hand_outlives_the_listing(store: &dyn TokenStore) {
    forget(store).await;
    let mints = mints(24, 2);
    follow(store, FILE, &mints).await;
    assert_eq!(add(store, &mints[..1]).await, Added { new: 0, revived: 0, known: 1 });
    assert_eq!(follow(store, FILE, &mints).await, Followed { kept: 1, others: 1, ..Followed::default() });
    assert_eq!(follow(store, FILE, &[]).await, Followed { removed: 1, ..Followed::default() });
    assert_eq!(stored(store, &mints).await, [Token::new(mints[0], at(7))]);
    assert_eq!(store.remove(&mints).await.expect("remove works"), 1);
}

/// Law 10.
async fn what_is_removed_comes_back_with_the_listing(store: &dyn TokenStore) {
    forget(store).await;
    let mints = mints(25, 1);
    follow(store, FILE, &mints).await;
    assert_eq!(store.remove(&mints).await.expect("remove works"), 1);
    assert_eq!(owned(store, FILE).await, BTreeSet::new());
    assert_eq!(follow(store, FILE, &mints).await, Followed { added: 1, ..Followed::default() });
    // Added by hand after a removal no source owns it.
    store.remove(&mints).await.expect("remove works");
    add(store, &mints).await;
    assert_eq!(follow(store, FILE, &[]).await, Followed::default());
    assert_eq!(store.remove(&mints).await.expect("remove works"), 1);
}

/// Law 6.
async fn following_changes_the_revision_only_with_the_set(store: &dyn TokenStore) {
    forget(store).await;
    let mints = mints(26, 2);
    let revision = async || store.revision(ANY).await.expect("revision answers");
    add(store, &mints[..1]).await;
    let before = revision().await;
    follow(store, FILE, &mints[..1]).await;
    assert_eq!(revision().await, before, "what is listed was there already");
    follow(store, FILE, &mints).await;
    let added = revision().await;
    assert_ne!(added, before, "one was added");
    follow(store, FILE, &mints).await;
    add(store, &mints).await;
    assert_eq!(revision().await, added, "another owner is no other set");
    follow(store, FILE, &[]).await;
    assert_eq!(revision().await, added, "it owned nothing any more");
    store.remove(&mints).await.expect("remove works");
    follow(store, FILE, &mints).await;
    let again = revision().await;
    follow(store, FILE, &[]).await;
    assert_ne!(revision().await, again, "two were removed");
}

/// Law 3: neither a token is added nor one removed, and one that has nothing to do learns of it too.
async fn an_older_epoch_follows_nothing(store: &dyn TokenStore) {
    forget(store).await;
    let mints = mints(28, 2);
    let older = claim(store).await;
    let newer = claim(store).await;
    let first = store.follow(newer, FILE, &mints[..1], at(7)).await.expect("the newest epoch may write");
    assert_eq!(first, Followed { added: 1, ..Followed::default() });
    let revision = store.revision(ANY).await.expect("revision answers");
    for listed in [&mints[..], &mints[1..], &mints[..1], &[]] {
        let refused = store.follow(older, FILE, listed, at(7)).await;
        assert_fenced(FencedBy::Epoch, &refused);
    }
    assert_eq!(owned(store, FILE).await, mints[..1].iter().copied().collect());
    assert_eq!(store.revision(ANY).await.expect("revision answers"), revision);
    // What is edited by hand carries no epoch, and works beside a running service.
    add(store, &mints[1..]).await;
    assert_eq!(store.remove(&mints).await.expect("remove works"), 2);
    store.follow(newer, FILE, &[], at(7)).await.expect("the newest claim holds until the next one");
}

/// Law 8, for a listing that takes several steps, and one that goes away in several.
async fn more_than_a_step_is_followed_to_the_end(store: &dyn TokenStore) {
    forget(store).await;
    let mints = mints(27, u32::try_from(2 * FOLLOW_STEP).expect("a few thousand"));
    let most = mints.len() as u64 - 1;
    assert_eq!(follow(store, FILE, &mints[1..]).await.added, most);
    let next = Followed { added: 1, removed: 1, kept: most - 1, others: 0 };
    assert_eq!(follow(store, FILE, &mints[..mints.len() - 1]).await, next);
    assert_eq!(follow(store, FILE, &[]).await.removed, most);
}
