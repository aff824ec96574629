//! How long loading a set of tokens may take, and what counts as an edit of it.

use ttm_kernel::{Clock as _, within};
use ttm_market::memory::TokenTable;
use ttm_market::testing::FakeTokenStore;
use ttm_testkit::ManualRuntime;

use super::*;
use crate::{Ports, fakes};

#[test]
fn the_deadline_of_a_load_applies_to_each_page_of_tokens() {
    let (runtime, store) = (ManualRuntime::new(1), FakeTokenStore::new());
    let mints: Vec<_> = (0..u32::try_from(2 * PAGE).expect("a few")).map(fakes::mint).collect();
    let slow = fakes::Slow(store.clone(), runtime.clone());
    let ports = Ports { tokens: Arc::new(slow), ..fakes::ports(&store) };
    let board = fakes::board(&runtime);
    runtime.block_on(store.add(&mints, runtime.wall())).expect("the fake works");
    let begun = runtime.now();
    fakes::resident(&runtime, &board, ports);
    assert!(runtime.now() - begun > Duration::from_secs(11), "three pages of four seconds");
    assert_eq!(board.tokens().len(), mints.len());
}

#[test]
fn a_recreated_store_is_not_an_edit_that_removes_everything() {
    check_that_no_edit_is_seen(|store, _| store.restore(TokenTable::default()));
}

#[test]
fn a_store_restored_from_an_older_copy_is_not_an_edit() {
    check_that_no_edit_is_seen(FakeTokenStore::restore);
}

/// Follows an edit, and then replaces the store: with an empty one, or with a copy from before the edit.
fn check_that_no_edit_is_seen(put_back: impl FnOnce(&FakeTokenStore, TokenTable)) {
    let (runtime, store) = (ManualRuntime::new(1), FakeTokenStore::new());
    let board = fakes::board(&runtime);
    runtime.block_on(store.add(&[fakes::mint(1), fakes::mint(2)], runtime.wall())).expect("the fake works");
    let resident = fakes::resident(&runtime, &board, fakes::ports(&store));
    let (life, _order) = fakes::life(&runtime);
    let (copy, watched) = (store.copy(), resident.clone());
    let watching = runtime.spawn("roster", Box::pin(async move { watch(&watched, &life).await }));
    let mut edits = resident.edits.reader(ttm_kernel::Incarnation::FIRST);
    runtime.block_on(async {
        store.remove(&[fakes::mint(2)]).await.expect("the fake works");
        assert_eq!(edits.next().await.tokens.len(), 1, "one was removed");
        put_back(&store, copy);
        let later = runtime.now() + 3 * LOOK_EVERY;
        assert!(within(&runtime, later, edits.next()).await.is_err(), "a replaced store is not an edit");
        let reason = board.given_up().expect("an operator is needed").why;
        assert!(reason.contains("its tables were recreated, or restored from an older copy"), "{reason}");
    });
    watching.abort();
}
