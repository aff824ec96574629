//! How long a set of tokens may take to be loaded, and what is taken for an edit of it.

use ttm_kernel::Clock as _;
use ttm_market::memory::TokenTable;
use ttm_market::testing::FakeTokenStore;
use ttm_testkit::ManualRuntime;

use super::*;
use crate::ports::Ports;
use crate::{Service, fakes, shutdown};

#[test]
fn a_start_waits_for_each_page_of_the_tokens_and_not_for_all_of_them_at_once() {
    let (runtime, store) = (ManualRuntime::new(1), FakeTokenStore::new());
    let mints: Vec<_> = (0..u32::try_from(2 * PAGE).expect("a few")).map(fakes::mint).collect();
    let slow = fakes::Slow(store.clone(), runtime.clone());
    let ports = Ports { tokens: Arc::new(slow), ..fakes::ports(&store) };
    let (planes, board) = (fakes::planes(&runtime), fakes::board(&runtime));
    runtime.block_on(async {
        store.add(&mints, runtime.wall()).await.expect("the fake works");
        let start = Service::start(ports, fakes::settings(), planes, board.clone());
        let started = within(&runtime, runtime.now() + Duration::from_mins(1), start).await;
        assert!(started.is_ok_and(|started| started.is_ok()), "three pages of four seconds");
        assert_eq!(board.tokens().len(), mints.len());
    });
}

#[test]
fn a_store_that_was_made_anew_is_no_edit_that_removes_everything() {
    check_that_no_edit_is_seen(|store, _| store.restore(TokenTable::default()));
}

#[test]
fn a_copy_from_earlier_in_the_life_of_the_process_is_no_edit_either() {
    check_that_no_edit_is_seen(FakeTokenStore::restore);
}

/// Follows an edit, then a store in whose place something else was put: all of the store, or a copy from before the edit.
fn check_that_no_edit_is_seen(put_back: impl FnOnce(&FakeTokenStore, TokenTable)) {
    let (runtime, store) = (ManualRuntime::new(1), FakeTokenStore::new());
    let (board, (stop, stopping)) = (fakes::board(&runtime), shutdown::channel());
    let (sets, mut edits) = mpsc::channel(1);
    let steps = async {
        store.add(&[fakes::mint(1), fakes::mint(2)], runtime.wall()).await.expect("the fake works");
        let epoch = store.claim().await.expect("the fake works");
        let known = store.revision(epoch).await.expect("the fake works");
        let (port, clock) = (Arc::new(store.clone()), Arc::new(runtime.clone()));
        let watch = watch(port, clock, board.clone(), (epoch, known), sets, stopping);
        drop(runtime.spawn("roster", Box::pin(watch)));
        let copy = store.copy();
        store.remove(&[fakes::mint(2)]).await.expect("the fake works");
        let edit = edits.recv().await.expect("an edit");
        assert_eq!(edit.len(), 1, "one was removed");

        put_back(&store, copy);
        runtime.sleep_until(runtime.now() + 3 * LOOK_EVERY).await;
        assert!(edits.try_recv().is_err(), "what a stranger wrote is no edit");
        let said = board.given_up().expect("a person is called");
        assert!(said.contains("its tables were recreated, or restored from an older copy"), "{said}");
        stop.order(runtime.now());
    };
    runtime.block_on(steps);
}
