//! The order to stop, with its deadline, as every part hears it.
//!
//! A cancellation token carries the order and one number beside it the deadline. The deadline is written before the token is
//! cancelled, so that every listener that sees the order sees a deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;
use ttm_kernel::Moment;

/// Hears the order.
#[derive(Clone, Debug)]
pub struct Stop {
    token: CancellationToken,
    /// In nanoseconds; counts once the token is cancelled.
    deadline: Arc<AtomicU64>,
}

/// Gives the order. Dropped without one, it orders to stop at once: its owner has ended, and a loop that missed that would
/// spin.
#[derive(Debug)]
pub struct StopOrder(Stop);

impl StopOrder {
    /// An order that has not been given.
    #[expect(
        clippy::new_without_default,
        reason = "an order is made on purpose: dropping it stops its listeners"
    )]
    pub fn new() -> Self {
        let deadline = Arc::new(AtomicU64::new(Moment::MAX.as_nanos()));
        Self(Stop { token: CancellationToken::new(), deadline })
    }

    /// What hears it.
    pub fn listener(&self) -> Stop {
        self.0.clone()
    }

    /// Orders everything to be over by `deadline`. A second order can only bring the deadline nearer.
    pub fn give(&self, deadline: Moment) {
        self.0.deadline.fetch_min(deadline.as_nanos(), Ordering::Release);
        self.0.token.cancel();
    }
}

impl Drop for StopOrder {
    fn drop(&mut self) {
        if !self.0.token.is_cancelled() {
            self.give(Moment::ZERO);
        }
    }
}

impl Stop {
    /// The deadline, once the order was given.
    pub fn deadline(&self) -> Option<Moment> {
        self.token.is_cancelled().then(|| Moment::from_nanos(self.deadline.load(Ordering::Acquire)))
    }

    /// Completes with the deadline when the order is given.
    pub async fn ordered(&self) -> Moment {
        self.token.cancelled().await;
        Moment::from_nanos(self.deadline.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;

    fn poll(stop: &Stop) -> Poll<Moment> {
        pin!(stop.ordered()).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_order_that_is_dropped_ungiven_is_an_order_to_stop_at_once() {
        let order = StopOrder::new();
        let stop = order.listener();
        assert_eq!((poll(&stop), stop.deadline()), (Poll::Pending, None));
        drop(order);
        assert_eq!((poll(&stop), stop.deadline()), (Poll::Ready(Moment::ZERO), Some(Moment::ZERO)));
    }

    #[test]
    fn a_second_order_only_brings_the_deadline_nearer() {
        let at = |seconds| Moment::from_origin(Duration::from_secs(seconds));
        let order = StopOrder::new();
        let stop = order.listener();
        for (ordered, expected) in [(30, 30), (60, 30), (10, 10)] {
            order.give(at(ordered));
            assert_eq!((poll(&stop), stop.deadline()), (Poll::Ready(at(expected)), Some(at(expected))));
        }
        drop(order);
        assert_eq!(stop.deadline(), Some(at(10)), "an order that was given stays as it was");
    }
}
