//! Tells somebody again and again that this process lives, who tells a person when that stops.

use std::sync::Arc;
use std::time::Duration;

use ttm_alert::{Heartbeat, Outcome};
use ttm_kernel::{BoxFuture, Moment, Runtime, within};

use crate::Ports;

/// How long one may take. The next one is another one: none is ever sent late.
const DEADLINE: Duration = Duration::from_secs(20);

/// The heart.
pub(super) struct Heart {
    port: Option<Arc<dyn Heartbeat>>,
    every: Duration,
    due: Moment,
    under_way: Option<BoxFuture<'static, Outcome>>,
    /// Why the last one did not arrive.
    failed: Option<String>,
}

impl Heart {
    pub(super) fn new(ports: &Ports, every: Duration, now: Moment) -> Self {
        Self { port: ports.heartbeat.clone(), every, due: now, under_way: None, failed: None }
    }

    /// When the next one is due.
    pub(super) fn due(&self) -> Moment {
        if self.port.is_none() || self.under_way.is_some() { Moment::MAX } else { self.due }
    }

    /// Whether the last one did not arrive; `None` if there is none.
    pub(super) fn fails(&self) -> Option<bool> {
        self.port.is_some().then_some(self.failed.is_some())
    }

    /// Sends the next one, if it is due.
    pub(super) fn beat(&mut self, now: Moment, clock: &Arc<dyn Runtime>) {
        if self.due() > now {
            return;
        }
        let Some(port) = self.port.clone() else { return };
        self.due = now + self.every;
        let clock = clock.clone();
        self.under_way = Some(Box::pin(async move {
            let beat = within(&*clock, clock.now() + DEADLINE, port.beat()).await;
            let why = || format!("no answer within {} s", DEADLINE.as_secs());
            beat.unwrap_or_else(|_| Outcome::Retry { after: None, why: why() })
        }));
    }

    /// Takes up what became of the last one. Never completes if none is under way.
    pub(super) async fn answered(&mut self) {
        let Some(under_way) = &mut self.under_way else { return std::future::pending().await };
        let outcome = under_way.await;
        self.under_way = None;
        let failed = match outcome {
            Outcome::Delivered { .. } => None,
            Outcome::Retry { why, .. } | Outcome::Refused { why } => Some(why),
        };
        match (&self.failed, &failed) {
            (None, Some(error)) => tracing::warn!(error, "the heartbeat does not arrive"),
            (Some(_), None) => tracing::info!("the heartbeat arrives again"),
            _ => {}
        }
        self.failed = failed;
    }
}
