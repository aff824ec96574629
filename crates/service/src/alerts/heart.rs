//! Tells somebody again and again that this process lives, who tells a person when that stops.

use std::sync::Arc;
use std::time::Duration;

use ttm_alert::Heartbeat;
use ttm_kernel::{BoxFuture, Moment, Runtime, within};

use crate::Ports;
use crate::alerting::{Alerting, Failing, no_answer};

/// Who has just begun has lived for so long before the first beat, or for as long as between two: one that dies within a minute again and
/// again lives for nobody.
const FIRST: Duration = Duration::from_mins(1);

/// The heart. Each beat is another one: none is ever sent late.
pub(super) struct Heart {
    port: Option<Arc<dyn Heartbeat>>,
    every: Duration,
    due: Moment,
    under_way: Option<BoxFuture<'static, ()>>,
    failing: Arc<Failing>,
}

impl Heart {
    pub(super) fn new(ports: &Ports, alerting: &Alerting, every: Duration, now: Moment) -> Self {
        Self {
            port: ports.heartbeat.clone(),
            every,
            due: now + every.min(FIRST),
            under_way: None,
            failing: alerting.heartbeat.clone(),
        }
    }

    /// When the next one is due.
    pub(super) fn due(&self) -> Moment {
        if self.port.is_none() || self.under_way.is_some() { Moment::MAX } else { self.due }
    }

    /// Whether the last one did not arrive; `None` if there is none.
    pub(super) fn fails(&self) -> Option<bool> {
        self.port.is_some().then(|| self.failing.get().is_some())
    }

    /// Sends the next one, if it is due.
    pub(super) fn beat(&mut self, now: Moment, clock: &Arc<dyn Runtime>) {
        if self.due() > now {
            return;
        }
        let Some(port) = self.port.clone() else { return };
        self.due = now + self.every;
        let (clock, failing) = (clock.clone(), self.failing.clone());
        self.under_way = Some(Box::pin(async move {
            let patience = port.patience();
            let beat = within(&*clock, clock.now() + patience, port.beat()).await;
            failing.sent(&beat.unwrap_or_else(|_| no_answer(patience)), &*clock);
        }));
    }

    /// Waits for what becomes of the last one. Never completes if none is under way.
    pub(super) async fn answered(&mut self) {
        let Some(under_way) = &mut self.under_way else { return std::future::pending().await };
        under_way.await;
        self.under_way = None;
    }
}
