//! Calls to the store with the deadline that their caller enforces: a frozen server cannot enforce its own.

use std::pin::pin;
use std::time::Duration;

use ttm_kernel::{DeadlineExceeded, Moment, Runtime, StoreError, within};

use crate::pause::LATE;

/// How long a caller of a store waits at most.
pub(crate) const STORE_DEADLINE: Duration = Duration::from_secs(5);
/// How often who waits looks whether it was paused meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A call to the store that ends at its deadline.
pub(crate) async fn bounded<T>(
    doing: &'static str,
    runtime: &dyn Runtime,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    bounded_by(STORE_DEADLINE, doing, runtime, call).await
}

/// A call to the store that may take this long.
pub(crate) async fn bounded_by<T>(
    patience: Duration,
    doing: &'static str,
    runtime: &dyn Runtime,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let answer = while_awake(runtime, runtime.now() + patience, call).await;
    answer.unwrap_or_else(|_| Err(timed_out(patience))).map_err(|error| error.while_doing(doing))
}

/// Runs a call until the deadline, which a [pause](LATE) of the caller puts off: an answer that came meanwhile is still to be read, and that
/// it was not says nothing about who gave it. Who is merely late reads it as well.
///
/// # Errors
/// [`DeadlineExceeded`] if the deadline came first.
pub(crate) async fn while_awake<F: Future>(
    runtime: &dyn Runtime,
    mut deadline: Moment,
    call: F,
) -> Result<F::Output, DeadlineExceeded> {
    let mut call = pin!(call);
    let mut was_late = false;
    loop {
        let begun = runtime.now();
        let look = deadline.min(begun + LOOK_EVERY);
        if let Ok(answer) = within(runtime, look, call.as_mut()).await {
            return Ok(answer);
        }
        let now = runtime.now();
        let late = now - look.max(begun);
        if late > LATE {
            deadline += late;
        }
        if late > LOOK_EVERY && !std::mem::replace(&mut was_late, true) {
            // What came meanwhile takes a moment to be read on another plane. Only once: a plane that is late again and again must come
            // to an end.
            deadline = deadline.max(now + LOOK_EVERY);
        } else if late <= LATE && now >= deadline {
            return Err(DeadlineExceeded);
        }
    }
}

/// What a call to the store comes to that has no answer after this long.
pub(crate) fn timed_out(patience: Duration) -> StoreError {
    StoreError::transient(format!("no answer within {} s", patience.as_secs()))
}

#[cfg(test)]
mod tests {
    use ttm_kernel::Clock as _;
    use ttm_testkit::ManualRuntime;

    use super::*;

    /// A call that the process is paused in the middle of: what it comes to, and how long it took, in milliseconds.
    fn call(before: u64, pause: u64, after: u64) -> (bool, u128) {
        let runtime = ManualRuntime::new(1);
        let begun = runtime.now();
        let takes = |millis| runtime.sleep_until(runtime.now() + Duration::from_millis(millis));
        let call = async {
            takes(before).await;
            runtime.clock().advance(Duration::from_millis(pause));
            takes(after).await;
            Ok(())
        };
        let answer = runtime.block_on(bounded("reading", &runtime, call));
        (answer.is_ok(), (runtime.now() - begun).as_millis())
    }

    #[test]
    fn a_call_has_its_time_whatever_the_process_was_paused_for() {
        assert_eq!(call(2_000, 0, 2_900), (true, 4_900));
        assert_eq!(call(2_000, 0, 4_000), (false, 5_000));
        assert_eq!(call(2_500, 20_000, 1_500), (true, 24_000));
        let (is_in_time, took) = call(2_500, 20_000, 9_000);
        assert!(!is_in_time && (24_000..26_000).contains(&took), "{took}");
    }

    #[test]
    fn an_answer_is_still_read_after_a_pause_that_began_right_before_the_deadline() {
        assert_eq!(call(4_990, 20_000, 500), (true, 25_490));
        assert!(!call(4_990, 20_000, 2_000).0);
    }

    #[test]
    fn a_deadline_that_was_over_before_is_no_pause() {
        let runtime = ManualRuntime::new(1);
        let deadline = runtime.now();
        runtime.clock().advance(Duration::from_mins(1));
        let begun = runtime.now();
        let call = while_awake(&runtime, deadline, std::future::pending::<()>());
        assert!(runtime.block_on(call).is_err());
        assert_eq!(runtime.now(), begun);
    }

    #[test]
    fn a_plane_that_is_always_late_waits_hardly_longer() {
        let runtime = ManualRuntime::new(1);
        let begun = runtime.now();
        let clock = runtime.clone();
        let late = async move {
            loop {
                clock.sleep_until(clock.now() + Duration::from_millis(900)).await;
                clock.clock().advance(Duration::from_secs(3));
            }
        };
        let late = runtime.spawn("late", Box::pin(late));
        let call = std::future::pending::<Result<(), StoreError>>();
        assert!(runtime.block_on(bounded("reading", &runtime, call)).is_err());
        let took = runtime.now() - begun;
        assert!(took < Duration::from_secs(10), "{took:?}");
        late.abort();
    }
}
