//! Tells those who want to know what is, again and again, whether anything is new or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use std::time::Duration;
use ttm_alert::{AlertKey, ChannelId, Desk, Ending, Feed, Item, Outcome};
use ttm_kernel::{BoxFuture, Moment, Runtime, Severity, within};

use crate::Ports;

/// How long one telling may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// What makes an alert another one to a feed.
type Told = BTreeMap<(AlertKey, Severity), Item>;

struct Listener {
    id: ChannelId,
    port: Arc<dyn Feed>,
    due: Moment,
    is_under_way: bool,
    /// What it was told to fire last.
    told: Told,
    fails: bool,
}

/// All of them.
pub(super) struct Feeds {
    feeds: Vec<Listener>,
    under_way: FuturesUnordered<BoxFuture<'static, (usize, Option<Told>)>>,
}

impl Feeds {
    pub(super) fn new(ports: &Ports, now: Moment) -> Self {
        let feed = |(id, port): &(ChannelId, Arc<dyn Feed>)| Listener {
            id: id.clone(),
            port: port.clone(),
            due: now,
            is_under_way: false,
            told: Told::new(),
            fails: false,
        };
        Self { feeds: ports.feeds.iter().map(feed).collect(), under_way: FuturesUnordered::new() }
    }

    /// When one is to be told next.
    pub(super) fn due(&self) -> Moment {
        let waiting = self.feeds.iter().filter(|feed| !feed.is_under_way);
        waiting.map(|feed| feed.due).min().unwrap_or(Moment::MAX)
    }

    /// Tells those that are due.
    pub(super) fn tell(&mut self, desk: &Desk, now: Moment, wall: Timestamp, clock: &Arc<dyn Runtime>) {
        if self.due() > now {
            return;
        }
        let fires: Told = desk.firing().map(|item| ((item.key.clone(), item.severity), item)).collect();
        for (place, feed) in self.feeds.iter_mut().enumerate() {
            if feed.is_under_way || feed.due > now {
                continue;
            }
            (feed.is_under_way, feed.due) = (true, now + feed.port.every());
            let ended = feed
                .told
                .iter()
                .filter(|(key, _)| !fires.contains_key(*key))
                .map(|(_, item)| Item { ended: Some((wall, Ending::Recovered)), ..item.clone() });
            let all: Vec<Item> = fires.values().cloned().chain(ended).collect();
            let (port, fires, clock) = (feed.port.clone(), fires.clone(), clock.clone());
            self.under_way.push(Box::pin(async move {
                let told = within(&*clock, clock.now() + DEADLINE, port.tell(&all, wall)).await;
                let is_told = matches!(told, Ok(Outcome::Delivered { .. }));
                (place, is_told.then_some(fires))
            }));
        }
    }

    /// Takes up the next answer. Never completes if none is awaited.
    pub(super) async fn answered(&mut self) {
        let Some((place, told)) = self.under_way.next().await else { return std::future::pending().await };
        let feed = &mut self.feeds[place];
        feed.is_under_way = false;
        let (fails, channel) = (told.is_none(), feed.id.as_str());
        match (feed.fails, fails) {
            (false, true) => tracing::warn!(channel, "the channel could not be told what fires"),
            (true, false) => tracing::info!(channel, "the channel is told what fires again"),
            _ => {}
        }
        feed.fails = fails;
        if let Some(told) = told {
            feed.told = told;
        }
    }
}
