//! The laws of `Clock` and `Runtime`, on the real machine. Sleeps are a few milliseconds, and only their minimum is asserted.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ttm_kernel::{Clock, Moment, Runtime, TaskEnd, within};
use ttm_tokio_runtime::TokioRuntime;

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

#[test]
fn a_sleep_never_ends_early() {
    let tokio = tokio_runtime();
    let runtime = TokioRuntime::new(tokio.handle().clone());
    tokio.block_on(async {
        for millis in [0, 1, 3] {
            let at = runtime.now() + Duration::from_millis(millis);
            runtime.sleep_until(at).await;
            assert!(runtime.now() >= at);
        }
    });
}

#[test]
fn a_sleep_until_the_past_ends_at_once_and_one_until_the_end_of_time_does_not() {
    let tokio = tokio_runtime();
    let runtime = TokioRuntime::new(tokio.handle().clone());
    tokio.block_on(async {
        runtime.sleep_until(Moment::ZERO).await;
        let soon = runtime.now() + Duration::from_millis(2);
        within(&runtime, soon, runtime.sleep_until(Moment::MAX)).await.expect_err("the sleep does not end");
    });
}

#[test]
fn a_sleep_can_be_created_outside_of_a_runtime() {
    let tokio = tokio_runtime();
    let runtime = TokioRuntime::new(tokio.handle().clone());
    let sleep = runtime.sleep_until(runtime.now() + Duration::from_millis(1));
    tokio.block_on(sleep);
}

#[test]
fn the_end_of_a_task_is_reported() {
    let tokio = tokio_runtime();
    let runtime = TokioRuntime::new(tokio.handle().clone());
    tokio.block_on(async {
        assert_eq!(runtime.spawn("returns", Box::pin(async {})).await, TaskEnd::Finished);

        let panics = runtime.spawn("panics", Box::pin(async { panic!("out of luck") }));
        assert_eq!(panics.await, TaskEnd::Panicked("out of luck".to_owned()));

        let number = 7;
        let formatted = runtime.spawn("panics", Box::pin(async move { panic!("number {number}") }));
        assert_eq!(formatted.await, TaskEnd::Panicked("number 7".to_owned()));

        let aborted = runtime.spawn("waits", Box::pin(pending()));
        aborted.abort();
        assert_eq!(aborted.await, TaskEnd::Aborted);
    });
}

#[test]
fn a_task_whose_runtime_was_dropped_is_aborted() {
    let work = tokio_runtime();
    let task = TokioRuntime::new(work.handle().clone()).spawn("waits", Box::pin(pending()));
    drop(work);
    assert_eq!(tokio_runtime().block_on(task), TaskEnd::Aborted);
}

#[test]
fn a_task_outlives_its_handle() {
    let tokio = tokio_runtime();
    let runtime = TokioRuntime::new(tokio.handle().clone());
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    drop(runtime.spawn("sets", Box::pin(async move { flag.store(true, Ordering::SeqCst) })));
    // Tasks of a current-thread runtime run in order, so this one ends after the detached one.
    tokio.block_on(runtime.spawn("after", Box::pin(async {})));
    assert!(done.load(Ordering::SeqCst));
}

#[test]
fn two_runtimes_with_one_clock_agree_on_moments() {
    let (work, supervision) = (tokio_runtime(), tokio_runtime());
    let first = TokioRuntime::new(work.handle().clone());
    let second = TokioRuntime::with_clock(supervision.handle().clone(), first.clock());
    let before = first.now();
    let between = second.now();
    let after = first.now();
    assert!(before <= between && between <= after);
}

#[test]
fn streams_are_different() {
    let tokio = tokio_runtime();
    let runtime = TokioRuntime::new(tokio.handle().clone());
    let streams = ["jitter", "jitter", "ids"].map(|name| runtime.entropy(name));
    let draws: Vec<Vec<u64>> =
        streams.iter().map(|stream| (0..4).map(|_| stream.next_u64()).collect()).collect();
    assert_ne!(draws[0], draws[1]);
    assert_ne!(draws[0], draws[2]);
    assert_ne!(draws[1], draws[2]);
}
