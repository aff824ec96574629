//! The laws of `Clock` and `Runtime`, on the real machine. Sleeps are a few milliseconds, and only their minimum is asserted.

use std::future::pending;
use std::time::Duration;

use ttm_kernel::testing::{clock_conformance, runtime_conformance};
use ttm_kernel::{Clock, Runtime, TaskEnd};
use ttm_tokio_runtime::TokioRuntime;

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

#[test]
fn a_runtime_of_tokio_and_its_clock_obey_every_law() {
    let workers = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    for tokio in [tokio_runtime(), workers.expect("a runtime")] {
        let runtime = TokioRuntime::new(tokio.handle().clone());
        let pass = async |time| runtime.sleep_until(runtime.now() + time).await;
        tokio.block_on(async {
            runtime_conformance::check(&runtime).await;
            clock_conformance::check(&runtime, pass).await;
            clock_conformance::check(&runtime.clock(), pass).await;
        });
    }
}

#[test]
fn a_sleep_can_be_created_outside_of_a_runtime() {
    let tokio = tokio_runtime();
    let runtime = TokioRuntime::new(tokio.handle().clone());
    let sleep = runtime.sleep_until(runtime.now() + Duration::from_millis(1));
    tokio.block_on(sleep);
}

#[test]
fn a_task_whose_runtime_was_dropped_is_aborted() {
    let work = tokio_runtime();
    let task = TokioRuntime::new(work.handle().clone()).spawn("waits", Box::pin(pending()));
    drop(work);
    assert_eq!(tokio_runtime().block_on(task), TaskEnd::Aborted);
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
