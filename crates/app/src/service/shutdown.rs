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
    /// The deadline, once ordered.
    pub(super) fn deadline(&self) -> Option<Moment> {
        *self.0.borrow()
    }

    /// Completes with the deadline when the order comes; also when nobody is left to give it.
    pub(super) async fn ordered(&mut self) -> Moment {
        match self.0.wait_for(Option::is_some).await {
            Ok(deadline) => deadline.unwrap_or(Moment::ZERO),
            Err(_) => Moment::ZERO,
        }
    }
}
