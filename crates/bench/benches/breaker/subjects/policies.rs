//! The retries, the budget and the limiter of other crates.

use std::num::NonZeroU32;

use backon::{ExponentialBuilder, Retryable};
use governor::{Quota, RateLimiter};
use tokio_retry::Retry;
use tokio_retry::strategy::{ExponentialBackoff, jitter};
use tower::retry::budget::{Budget, TpsBudget};

use super::{Operation, finish};
use ttm_bench::Subject;

/// Attempts after the first; our default is three attempts in total.
const RETRIES: usize = 2;

pub(crate) fn tokio_retry(operation: impl Operation) -> Subject {
    Subject::each("tokio-retry", move |number| {
        let strategy = ExponentialBackoff::from_millis(10).map(jitter).take(RETRIES);
        finish(Retry::start(strategy, || async { operation(number) })).is_ok()
    })
}

pub(crate) fn backon(operation: impl Operation) -> Subject {
    Subject::each("backon", move |number| {
        let strategy = ExponentialBuilder::new().with_jitter().with_max_times(RETRIES);
        finish((|| async { operation(number) }).retry(strategy)).is_ok()
    })
}

/// The defaults: 20 % of the calls of ten seconds, and at least ten retries per second.
pub(crate) fn tps_budget() -> Subject {
    let budget = TpsBudget::default();
    Subject::each("tower", move |_| {
        budget.deposit();
        true
    })
}

/// A permit each nanosecond, so that it never has to wait; with its own clock, which reads the time stamp counter.
pub(crate) fn governor() -> Subject {
    let each_nanosecond = NonZeroU32::new(1_000_000_000).expect("not zero");
    let limiter = RateLimiter::direct(Quota::per_second(each_nanosecond));
    Subject::each("governor", move |_| limiter.check().is_ok())
}
