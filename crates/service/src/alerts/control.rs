//! What operators see and order of alerts, while the service runs. Orders go to the part that works the desk.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use ttm_alert::{
    AlertControl, AlertKey, AlertView, ChannelId, ChannelView, DeadLetter, EpisodeId, Identity, OrderRefused,
    Ordered, Quiet, QuietId, Receipt, RuleSpec,
};
use ttm_kernel::within;

use crate::alerting::{Alerting, CONFIRM, Failing, Order, Reply};
use crate::bounded::bounded;
use crate::resident::Resident;

/// An answer that takes longer than this does not come.
const ANSWER: Duration = Duration::from_secs(2);

/// The alerts of a service.
pub(crate) struct OfAlerts(Arc<Resident>);

impl OfAlerts {
    pub(crate) const fn new(resident: Arc<Resident>) -> Self {
        Self(resident)
    }

    async fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, OrderRefused> {
        let (reply, answer) = oneshot::channel();
        let order = order(reply);
        let clock = &*self.0.clock;
        let answer = async {
            self.0.alerting.orders.send(order).await.ok()?;
            answer.await.ok()
        };
        let not_now = |why: &str| Err(OrderRefused::NotNow(why.to_owned()));
        match within(clock, clock.now() + CONFIRM + ANSWER, answer).await {
            Ok(Some(answer)) => answer,
            Ok(None) => not_now("the service is stopping"),
            Err(_) => {
                not_now("there is no answer in time; `ttm recovery` shows whether the part named alerts runs")
            }
        }
    }
}

impl OfAlerts {
    /// To be asked for before what is stored: what is stored between the two answers is in both then, and in none the other way round.
    async fn unstored(&self, limit: usize) -> Result<(Vec<Receipt>, Vec<DeadLetter>), OrderRefused> {
        self.ask(|reply| Order::Unstored { limit, reply }).await
    }
}

/// The newest of what is stored and what is not yet, each once, oldest first.
fn newest<T: PartialEq>(mut stored: Vec<T>, unstored: Vec<T>, limit: usize) -> Vec<T> {
    for entry in unstored {
        if !stored.contains(&entry) {
            stored.push(entry);
        }
    }
    stored.drain(..stored.len().saturating_sub(limit));
    stored
}

#[async_trait]
impl AlertControl for OfAlerts {
    async fn alerts(&self, after: Option<AlertKey>, limit: usize) -> Result<Vec<AlertView>, OrderRefused> {
        self.ask(|reply| Order::List { after, limit, reply }).await
    }

    async fn alert(&self, id: Identity) -> Result<AlertView, OrderRefused> {
        self.ask(|reply| Order::Show { id, reply }).await
    }

    async fn acknowledge(
        &self,
        id: Identity,
        episode: Option<EpisodeId>,
        by: &str,
    ) -> Result<Ordered<AlertView>, OrderRefused> {
        self.ask(|reply| Order::Acknowledge { id, episode, by: by.to_owned(), reply }).await
    }

    async fn silences(&self) -> Result<Vec<(QuietId, Quiet)>, OrderRefused> {
        self.ask(|reply| Order::Silences { reply }).await
    }

    async fn silence(&self, quiet: Quiet) -> Result<Ordered<QuietId>, OrderRefused> {
        self.ask(|reply| Order::Silence { quiet, reply }).await
    }

    async fn end_silence(&self, id: QuietId) -> Result<Ordered<()>, OrderRefused> {
        self.ask(|reply| Order::EndSilence { id, reply }).await
    }

    async fn receipts(&self, limit: usize) -> Result<Vec<Receipt>, OrderRefused> {
        let (unstored, _) = self.unstored(limit).await?;
        let stored = self.0.ports.alerts.receipts(limit);
        let stored = bounded("reading receipts", &*self.0.clock, stored).await?;
        Ok(newest(stored, unstored, limit))
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, OrderRefused> {
        let (_, unstored) = self.unstored(limit).await?;
        let stored = self.0.ports.alerts.dead_letters(limit);
        let stored = bounded("reading dead letters", &*self.0.clock, stored).await?;
        Ok(newest(stored, unstored, limit))
    }

    async fn tell_again(&self, id: Identity, channel: &ChannelId) -> Result<Ordered<()>, OrderRefused> {
        if !self.0.alerting.channels.contains_key(channel) {
            return Err(OrderRefused::Unknown { what: format!("channel {channel}") });
        }
        self.ask(|reply| Order::TellAgain { id, channel: channel.clone(), reply }).await
    }

    async fn channels(&self) -> Result<Vec<ChannelView>, OrderRefused> {
        let waiting = self.ask(|reply| Order::Waiting { reply }).await?;
        let view = |(id, failing): (&ChannelId, &Failing)| ChannelView {
            id: id.clone(),
            failing: failing.get(),
            waiting: waiting.get(id).copied().unwrap_or(0),
        };
        let Alerting { channels, feeds, .. } = &self.0.alerting;
        let channels = channels.iter().map(|(id, channel)| (id, &channel.failing));
        Ok(channels.chain(feeds.iter().map(|(id, feed)| (id, &**feed))).map(view).collect())
    }

    fn rules(&self) -> Vec<RuleSpec> {
        self.0.alerting.rules.clone()
    }
}
