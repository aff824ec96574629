//! Calls to the store with the deadline that their caller enforces: a frozen server cannot enforce its own.

use std::time::Duration;

use ttm_kernel::{Runtime, StoreError, within};

/// How long a caller of a store waits at most.
pub(crate) const STORE_DEADLINE: Duration = Duration::from_secs(5);

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
    let answer = within(runtime, runtime.now() + patience, call).await;
    answer.unwrap_or_else(|_| Err(timed_out(patience))).map_err(|error| error.while_doing(doing))
}

/// What a call to the store comes to that has no answer after this long.
pub(crate) fn timed_out(patience: Duration) -> StoreError {
    StoreError::transient(format!("no answer within {} s", patience.as_secs()))
}
