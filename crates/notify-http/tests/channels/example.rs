//! One message, and words about it.

use std::sync::Arc;
use std::time::Duration;

use ttm_alert::testing::{Saying, labels, wall};
use ttm_alert::words::{About, Acknowledge, Words};
use ttm_alert::{
    AlertKey, Attempt, ChannelId, Ending, Episode, EpisodeId, Item, Message, News, OutboxRow, Outcome,
    RowKey, Unit,
};
use ttm_kernel::{Epoch, Severity};

/// Long enough for loopback on a busy machine; what is to time out has its own.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) fn item(of: &str) -> Item {
    Item {
        key: AlertKey::new("group_not_running", labels(of)),
        episode: Episode { id: EpisodeId { epoch: Epoch::new(12), number: 3 }, started: wall(-600) },
        news: News::New,
        severity: Severity::Error,
        value: Some(81.0),
        limit: Some(60.0),
        ended: None,
        acknowledged_by: None,
    }
}

/// The same once it is over.
pub(crate) fn over(of: &str) -> Item {
    Item { news: News::Resolved, ended: Some((wall(-30), Ending::Recovered)), ..item(of) }
}

/// The first attempt to send a message about these.
pub(crate) fn attempt(items: Vec<Item>) -> Attempt {
    let lead = &items[0];
    let key =
        RowKey { channel: ChannelId::new("ops"), alert: lead.key.clone(), episode: lead.episode.id, step: 1 };
    let message = Message {
        group: Arc::clone(&lead.key.rule),
        severity: lead.severity,
        fires: items.iter().any(|item| item.ended.is_none()),
        items,
        more_items: 0,
        affected: vec![AlertKey::new("data_stale", labels("lane=hot"))],
        more_affected: 0,
        replies_to: None,
        at: wall(0),
    };
    let row = OutboxRow { key, message, covers: Arc::default(), attempts: 1, failing_since: None };
    Attempt { row, was_down: Some((wall(-300), wall(0))), is_unsaved: false }
}

/// A later attempt to send an answer to this.
pub(crate) fn reply(to: &str, attempts: u32, items: Vec<Item>) -> Attempt {
    let mut attempt = attempt(items);
    attempt.row.message.replies_to = Some(to.into());
    attempt.row.attempts = attempts;
    attempt
}

pub(crate) fn words() -> Arc<dyn Words> {
    Arc::new(Saying(About {
        instance: None,
        meaning: Some("a group's <next> run is late & late".to_owned()),
        unit: Some(Unit::Seconds),
        effect: Some("40 of 120 scores are stale".to_owned()),
        tried: vec!["restarted hot-group".to_owned()],
        next: Some("a new work plane".to_owned()),
        runbook: Some("https://ttm.example/runbooks/group_not_running?a=1&b=2".to_owned()),
        command: Some("ttm recovery".to_owned()),
        acknowledge: Some(Acknowledge::Link("https://ttm.example/ack/1".to_owned())),
    }))
}

/// Why a message was not delivered, and whether it is to be tried again.
#[track_caller]
pub(crate) fn failure(outcome: &Outcome) -> (bool, Option<Duration>, &str) {
    match outcome {
        Outcome::Retry { after, why } => (true, *after, why),
        Outcome::Refused { why } => (false, None, why),
        Outcome::Delivered { remote_id } => panic!("it was delivered, as {remote_id:?}"),
    }
}
