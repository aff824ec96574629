//! A call that works at once, and one that the open breaker rejects, allocate nothing: counted, not assumed.

use std::sync::Arc;

use ttm_breaker::{Breaker, BreakerConfig};
use ttm_guard::{Disposition, Guard, GuardConfig, GuardSettings};
use ttm_kernel::{Clock, Moment, Runtime};
use ttm_retry::RetryPolicy;
use ttm_testkit::ManualRuntime;

#[test]
fn a_call_without_a_limit_allocates_nothing() {
    let runtime = ManualRuntime::new(0);
    let breaker = Breaker::new("upstream", BreakerConfig::default(), runtime.entropy("breaker"));
    let config =
        GuardConfig::try_new(GuardSettings { requests_per_minute: None, ..GuardSettings::default() });
    let guard = Guard::new(
        config.expect("valid settings"),
        Arc::new(breaker),
        RetryPolicy::default(),
        Arc::new(runtime.clone()),
        "guard",
    );
    let classify = |(): &()| Disposition::Transient { retry_after: None };
    let mut works = 0;
    // The runtime's own queue is there before anything is counted.
    runtime.block_on(async {});
    let allocated = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            let call = guard.call(Moment::MAX, classify, |_| async { Ok(()) });
            let mut call = std::pin::pin!(call);
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            works += u32::from(matches!(call.as_mut().poll(&mut context), std::task::Poll::Ready(Ok(()))));
        }
    });
    assert_eq!((works, allocated.count_total), (1_000, 0));

    guard.breaker().force_open(runtime.now());
    let allocated = allocation_counter::measure(|| {
        let call = guard.call(Moment::MAX, classify, |_| async { Ok(()) });
        let mut call = std::pin::pin!(call);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(matches!(call.as_mut().poll(&mut context), std::task::Poll::Ready(Err(_))));
    });
    assert_eq!(allocated.count_total, 0);
}
