//! The order to stop, as every task hears it. It does not know why.

use tokio::sync::watch;
use ttm_kernel::Moment;

/// Gives the order.
#[derive(Clone, Debug)]
pub(super) struct ShutdownTrigger(watch::Sender<Option<Moment>>);

/// Hears the order.
#[derive(Clone, Debug)]
pub(super) struct Shutdown(watch::Receiver<Option<Moment>>);

/// A trigger and its listener.
pub(super) fn channel() -> (ShutdownTrigger, Shutdown) {
    let (sender, receiver) = watch::channel(None);
    (ShutdownTrigger(sender), Shutdown(receiver))
}

impl ShutdownTrigger {
    /// Orders everything to be over by `deadline`. A second order may only bring the deadline nearer.
    pub(super) fn order(&self, deadline: Moment) {
        self.0.send_modify(|ordered| {
            *ordered = Some(ordered.map_or(deadline, |earlier| earlier.min(deadline)));
        });
    }
}

impl Shutdown {
    /// The deadline, once ordered. A trigger that is gone without an order is an order to stop at once: whoever owned it
    /// has ended, and a loop that heard of that only by half would spin.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let ordered = *self.0.borrow();
        ordered.or_else(|| self.0.has_changed().is_err().then_some(Moment::ZERO))
    }

    /// Completes with the deadline when the order comes.
    pub(super) async fn ordered(&mut self) -> Moment {
        match self.0.wait_for(Option::is_some).await {
            Ok(deadline) => deadline.unwrap_or(Moment::ZERO),
            Err(_) => Moment::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;

    fn poll(shutdown: &mut Shutdown) -> Poll<Moment> {
        pin!(shutdown.ordered()).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_trigger_that_is_dropped_without_an_order_is_an_order_for_every_listener() {
        let (trigger, mut shutdown) = channel();
        assert_eq!((poll(&mut shutdown), shutdown.deadline()), (Poll::Pending, None));
        drop(trigger);
        assert_eq!(poll(&mut shutdown), Poll::Ready(Moment::ZERO));
        assert_eq!(
            shutdown.deadline(),
            Some(Moment::ZERO),
            "a loop that looks at the deadline must see it too"
        );
    }

    #[test]
    fn a_second_order_only_brings_the_deadline_nearer() {
        let at = |seconds| Moment::from_origin(Duration::from_secs(seconds));
        let (trigger, shutdown) = channel();
        for (ordered, expected) in [(30, 30), (60, 30), (10, 10)] {
            trigger.order(at(ordered));
            assert_eq!(shutdown.deadline(), Some(at(expected)));
        }
    }
}
