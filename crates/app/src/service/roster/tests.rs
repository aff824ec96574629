//! How long a set of tokens may take to be loaded.

use ttm_kernel::Clock as _;
use ttm_market::testing::FakeTokenStore;
use ttm_testkit::ManualRuntime;

use super::*;
use crate::ports::Ports;
use crate::service::{Service, fakes};

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
