//! The laws of [`Runtime`] as a suite, which runs on that runtime, or beside it. Its clock has a suite of its own,
//! [`clock_conformance`](super::clock_conformance). All laws are checked before those that do not hold are reported.
//!
//! ```
//! use ttm_kernel::Runtime;
//! use ttm_kernel::testing::runtime_conformance;
//!
//! async fn suite(runtime: &dyn Runtime, of_the_same_seed: &dyn Runtime) {
//!     runtime_conformance::check(runtime).await;
//!     runtime_conformance::check_seeded(runtime, of_the_same_seed);
//! }
//! ```

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Laws, expect};
use crate::{Moment, Runtime, TaskEnd, check_laws, within};

/// So long the suite waits for what should happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Checks every law, and panics with those that do not hold. A few milliseconds of the runtime's time pass.
pub async fn check(runtime: &dyn Runtime) {
    judge(runtime).await.assert_hold();
}

/// Checks every law, and says which do not hold.
pub async fn judge(runtime: &dyn Runtime) -> Laws {
    let mut laws = Laws::of("Runtime");
    check_laws!(laws:
        a_sleep_never_ends_early(runtime),
        a_sleep_until_the_past_ends(runtime),
        a_sleep_until_the_end_of_time_does_not(runtime),
        a_task_runs_and_ends_as_finished(runtime),
        a_task_that_panics_says_so_and_takes_nothing_down(runtime),
        an_aborted_task_is_dropped(runtime),
        a_task_outlives_its_handle(runtime),
        streams_of_different_names_differ(runtime),
    );
    laws
}

/// Checks what law 4 says of a runtime whose streams a seed decides; `same` is another of the same seed, and nothing was drawn from
/// either. Panics when it does not hold.
pub fn check_seeded(runtime: &dyn Runtime, same: &dyn Runtime) {
    judge_seeded(runtime, same).assert_hold();
}

/// Checks what law 4 says of a runtime whose streams a seed decides, and says whether it holds.
pub fn judge_seeded(runtime: &dyn Runtime, same: &dyn Runtime) -> Laws {
    let mut laws = Laws::of("Runtime");
    check_laws!(laws now: one_more_draw_shifts_no_other_stream(runtime, same));
    laws
}

fn draw(runtime: &dyn Runtime, stream: &'static str) -> Vec<u64> {
    let stream = runtime.entropy(stream);
    (0..8).map(|_| stream.next_u64()).collect()
}

/// What a future gives within the suite's patience.
async fn soon<F: Future>(runtime: &dyn Runtime, what: &str, future: F) -> F::Output {
    let output = within(runtime, runtime.now() + PATIENCE, future).await;
    output.unwrap_or_else(|_| panic!("{what}: expected it to end, got nothing in {PATIENCE:?}"))
}

/// Law 1.
async fn a_sleep_never_ends_early(runtime: &dyn Runtime) {
    for millis in [0, 1, 3] {
        let at = runtime.now() + Duration::from_millis(millis);
        runtime.sleep_until(at).await;
        let now = runtime.now();
        assert!(now >= at, "a sleep of {millis} ms: expected it to end at {at:?} or later, got {now:?}");
    }
}

/// Law 1.
async fn a_sleep_until_the_past_ends(runtime: &dyn Runtime) {
    let now = runtime.now();
    for past in [Moment::ZERO, now] {
        soon(runtime, "a sleep until the past", runtime.sleep_until(past)).await;
    }
}

/// Law 1.
async fn a_sleep_until_the_end_of_time_does_not(runtime: &dyn Runtime) {
    let at = runtime.now() + Duration::from_millis(2);
    let ended = within(runtime, at, runtime.sleep_until(Moment::MAX)).await.is_ok();
    expect("that it ended", false, ended);
}

/// Law 2.
async fn a_task_runs_and_ends_as_finished(runtime: &dyn Runtime) {
    let has_run = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&has_run);
    let mut task = runtime.spawn("suite", Box::pin(async move { flag.store(true, Ordering::SeqCst) }));
    expect("its end", TaskEnd::Finished, soon(runtime, "a task", &mut task).await);
    expect("that it has run", true, has_run.load(Ordering::SeqCst));
    task.abort();
    expect("its end, aborted after it", TaskEnd::Finished, soon(runtime, "its handle", &mut task).await);
}

/// Law 2.
async fn a_task_that_panics_says_so_and_takes_nothing_down(runtime: &dyn Runtime) {
    let later = runtime.sleep_until(runtime.now() + Duration::from_millis(2));
    let beside = runtime.spawn("suite", later);
    let panics = runtime.spawn("suite", Box::pin(async { panic!("out of luck") }));
    let end = soon(runtime, "a task that panics", panics).await;
    expect("its end", TaskEnd::Panicked("out of luck".to_owned()), end);
    let number = 7;
    let formatted = runtime.spawn("suite", Box::pin(async move { panic!("number {number}") }));
    let end = soon(runtime, "a task that panics", formatted).await;
    expect("its end", TaskEnd::Panicked("number 7".to_owned()), end);
    expect("the end of another", TaskEnd::Finished, soon(runtime, "another task", beside).await);
}

/// Law 3.
async fn an_aborted_task_is_dropped(runtime: &dyn Runtime) {
    struct OnDrop(Arc<AtomicBool>);

    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    let is_dropped = Arc::new(AtomicBool::new(false));
    let on_drop = OnDrop(Arc::clone(&is_dropped));
    let waits = runtime.spawn(
        "suite",
        Box::pin(async move {
            let _on_drop = on_drop;
            pending::<()>().await;
        }),
    );
    runtime.sleep_until(runtime.now() + Duration::from_millis(1)).await;
    expect("that it was dropped before", false, is_dropped.load(Ordering::SeqCst));
    waits.abort();
    expect("its end", TaskEnd::Aborted, soon(runtime, "an aborted task", waits).await);
    expect("that it was dropped by its end", true, is_dropped.load(Ordering::SeqCst));
}

async fn a_task_outlives_its_handle(runtime: &dyn Runtime) {
    let has_run = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&has_run);
    let sleep = runtime.sleep_until(runtime.now() + Duration::from_millis(1));
    let detached = runtime.spawn(
        "suite",
        Box::pin(async move {
            sleep.await;
            flag.store(true, Ordering::SeqCst);
        }),
    );
    drop(detached);
    let seen = async {
        while !has_run.load(Ordering::SeqCst) {
            runtime.sleep_until(runtime.now() + Duration::from_millis(1)).await;
        }
    };
    soon(runtime, "a task without its handle", seen).await;
}

/// Law 4.
async fn streams_of_different_names_differ(runtime: &dyn Runtime) {
    let draws = ["jitter", "ids", "suite"].map(|name| draw(runtime, name));
    for (one, other) in [(0, 1), (1, 2), (0, 2)] {
        assert!(
            draws[one] != draws[other],
            "streams {one} and {other}: expected others, got {:x?}",
            draws[one]
        );
    }
}

/// Law 4.
fn one_more_draw_shifts_no_other_stream(runtime: &dyn Runtime, same: &dyn Runtime) {
    let more = same.entropy("shifted");
    let expected = draw(runtime, "unshifted");
    more.next_u64();
    expect("the numbers of a stream", expected, draw(same, "unshifted"));
}
