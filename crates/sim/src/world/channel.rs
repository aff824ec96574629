//! The simulated channels on which alerts are told. What arrives is seen by whoever is behind the channel, whether or not
//! the process learns that it has arrived.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ttm_alert::{Attempt, Notifier, Outcome};
use ttm_kernel::{Clock, Entropy, Runtime};
use ttm_xoshiro_entropy::SeededEntropy;

use crate::fault::{Channel, ChannelFault};
use crate::oracle::Telling;
use crate::{FaultSchedule, SimRuntime};

/// The shortest time until an answer, and how much longer it may take, in milliseconds.
const LATENCY_MS: (u64, u64) = (20, 400);

/// How long a channel is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// A channel.
pub struct SimChannel {
    channel: Channel,
    runtime: SimRuntime,
    faults: Arc<FaultSchedule>,
    latency: Arc<SeededEntropy>,
    telling: Arc<Telling>,
}

impl SimChannel {
    pub(super) fn new(
        channel: Channel,
        runtime: &SimRuntime,
        faults: &Arc<FaultSchedule>,
        telling: &Arc<Telling>,
    ) -> Self {
        let latency = runtime.stream("channel latency");
        Self { channel, runtime: runtime.clone(), faults: faults.clone(), latency, telling: telling.clone() }
    }

    async fn wait(&self) {
        let (least, spread) = LATENCY_MS;
        let latency = Duration::from_millis(least + self.latency.below(spread));
        self.runtime.sleep_until(self.runtime.now() + latency).await;
    }
}

#[async_trait]
impl Notifier for SimChannel {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn send(&self, attempt: &Attempt) -> Outcome {
        let process = self.runtime.process();
        self.telling.attempted(self.channel, attempt, process);
        self.wait().await;
        let retry = |why: &str| Outcome::Retry { after: None, why: why.to_owned() };
        let outcome = match self.faults.channel(self.channel, self.runtime.now()) {
            Some(ChannelFault::Down) => return retry("connection refused"),
            Some(ChannelFault::Hangs) => return std::future::pending().await,
            Some(ChannelFault::Refuses) => Outcome::Refused { why: "400 the chat is gone".to_owned() },
            Some(ChannelFault::Limited(seconds)) => {
                let after = Some(Duration::from_secs(seconds.into()));
                return Outcome::Retry { after, why: "429 too many requests".to_owned() };
            }
            Some(ChannelFault::Mute) => {
                self.telling.arrived(self.channel, attempt, &self.runtime);
                self.wait().await;
                return retry("the connection was reset before an answer");
            }
            None => {
                self.telling.arrived(self.channel, attempt, &self.runtime);
                let remote_id = Some(attempt.row.key.idempotency_key().into());
                Outcome::Delivered { remote_id }
            }
        };
        self.wait().await;
        self.telling.answered(self.channel, attempt, &outcome, process);
        outcome
    }
}

impl fmt::Debug for SimChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimChannel").field("channel", &self.channel).finish_non_exhaustive()
    }
}
