//! A deadline around any future, on whatever clock the runtime has.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::{Moment, Runtime};

/// The moment passed before the future completed; the future was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed")]
pub struct DeadlineExceeded;

/// Runs `future` until `deadline`.
///
/// The future is polled first, so that one that is ready at its deadline still counts, and one that never waits sets no
/// timer.
///
/// # Errors
/// [`DeadlineExceeded`] if the deadline came first.
pub async fn within<F: Future>(
    runtime: &dyn Runtime,
    deadline: Moment,
    future: F,
) -> Result<F::Output, DeadlineExceeded> {
    let mut future = pin!(future);
    let mut sleep = None;
    poll_fn(move |cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        let sleep = sleep.get_or_insert_with(|| runtime.sleep_until(deadline));
        sleep.as_mut().poll(cx).map(|()| Err(DeadlineExceeded))
    })
    .await
}
