//! Tells those who want to know what is: at once when that changes, and again and again though nothing is new.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use std::time::Duration;
use ttm_alert::{AlertKey, ChannelId, Desk, Ending, Feed, Item, Outcome};
use ttm_kernel::{BoxFuture, Moment, Runtime, Severity, within};

use crate::Ports;
use crate::alerting::{Alerting, Failing, no_answer};

/// A change is told this long after the last telling at the soonest, since others often follow it.
const APART: Duration = Duration::from_secs(5);

/// What makes an alert another one to a feed.
type Told = BTreeMap<(AlertKey, Severity), Item>;

struct Listener {
    port: Arc<dyn Feed>,
    failing: Arc<Failing>,
    due: Moment,
    /// When a change may be told.
    not_before: Moment,
    is_under_way: bool,
    /// What it was told to fire last.
    told: Told,
}

/// All of them.
pub(super) struct Feeds {
    feeds: Vec<Listener>,
    under_way: FuturesUnordered<BoxFuture<'static, (usize, Option<Told>)>>,
}

impl Feeds {
    pub(super) fn new(ports: &Ports, alerting: &Alerting, now: Moment) -> Self {
        let feed = |(id, port): &(ChannelId, Arc<dyn Feed>)| Listener {
            port: port.clone(),
            failing: alerting.feeds[id].clone(),
            due: now,
            not_before: now,
            is_under_way: false,
            told: Told::new(),
        };
        Self { feeds: ports.feeds.iter().map(feed).collect(), under_way: FuturesUnordered::new() }
    }

    /// What fires is something else than it was.
    pub(super) fn changed(&mut self) {
        for feed in &mut self.feeds {
            feed.due = feed.due.min(feed.not_before);
        }
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
            (feed.is_under_way, feed.due, feed.not_before) = (true, now + feed.port.every(), now + APART);
            let ended = feed
                .told
                .iter()
                .filter(|(key, _)| !fires.contains_key(*key))
                .map(|(_, item)| Item { ended: Some((wall, Ending::Recovered)), ..item.clone() });
            let all: Vec<Item> = fires.values().cloned().chain(ended).collect();
            let (port, failing) = (feed.port.clone(), feed.failing.clone());
            let (fires, clock) = (fires.clone(), clock.clone());
            self.under_way.push(Box::pin(async move {
                let patience = port.patience(all.len());
                let told = within(&*clock, clock.now() + patience, port.tell(&all, wall)).await;
                let told = told.unwrap_or_else(|_| no_answer(patience));
                failing.sent(&told, &*clock);
                (place, matches!(told, Outcome::Delivered { .. }).then_some(fires))
            }));
        }
    }

    /// Takes up the next answer. Never completes if none is awaited.
    pub(super) async fn answered(&mut self) {
        let Some((place, told)) = self.under_way.next().await else { return std::future::pending().await };
        let feed = &mut self.feeds[place];
        feed.is_under_way = false;
        if let Some(told) = told {
            feed.told = told;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use ttm_kernel::Clock as _;

    use super::super::tests::{Scene, Telling};

    /// What a feed was told of a store that was down from second 40 to second 100.
    fn told(is_down_from: u32, is_down_to: u32) -> Vec<Telling> {
        let scene = Scene::new();
        for second in 0..240 {
            scene.feed.is_down.store((is_down_from..is_down_to).contains(&second), Ordering::Relaxed);
            match second {
                40 => scene.store_is_down(),
                100 => scene.store_is_back(),
                _ => {}
            }
            scene.pass(1);
        }
        assert_eq!(scene.runtime.wall().as_second(), 240);
        scene.feed.told()
    }

    #[test]
    fn what_has_changed_is_told_at_once_and_everything_again_once_a_minute() {
        let told = told(0, 0);
        let (mut fires, mut over) = (0, 0);
        for (at, alerts) in &told {
            match alerts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                [] => {}
                ["store_down"] => fires += i64::from(fires == 0) * at,
                ["store_down is over"] => over += at,
                _ => panic!("{told:?}"),
            }
        }
        // It takes thirty seconds to fire, a minute to be over, and an evaluation each.
        assert!((70..=76).contains(&fires) && (160..=166).contains(&over), "{told:?}");
        let apart: Vec<i64> = told.windows(2).map(|two| two[1].0 - two[0].0).collect();
        assert_eq!(apart, [60, fires - 60, 60, over - fires - 60, 60], "{told:?}");
    }

    #[test]
    fn a_feed_that_was_down_is_told_what_fires_then_and_nothing_of_what_it_never_knew() {
        let told = told(61, 230);
        let is_over = |alerts: &Vec<String>| alerts.iter().any(|alert| alert == "store_down is over");
        assert!(!told.iter().any(|(_, alerts)| is_over(alerts)), "{told:?}");
        assert!(told.len() <= 7, "it is not asked more often because it fails: {told:?}");
    }
}
