//! One message, words about it, and how an e-mail is read.

use std::sync::Arc;
use std::time::Duration;

use ttm_alert::testing::{Saying, labels, wall};
use ttm_alert::words::{About, Acknowledge, Words};
use ttm_alert::{
    AlertKey, Attempt, ChannelId, Ending, Episode, EpisodeId, Item, Message, News, OutboxRow, Outcome,
    RowKey, Unit,
};
use ttm_kernel::{Epoch, Severity};
use ttm_notify_email::{Credentials, EmailConfig, EmailNotifier, Security};

use crate::server::Server;

pub(crate) const USER: &str = "ttm@example.org";
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// The settings for a server.
pub(crate) fn config(server: &Server, security: Security) -> EmailConfig {
    let credentials = Credentials { user: USER.to_owned(), password: PASSWORD.into() };
    EmailConfig {
        server: "localhost".to_owned(),
        port: Some(server.port),
        security,
        authority: Some(server.authority.clone()),
        // Nobody has to be known on loopback.
        credentials: Some(credentials).filter(|_| security != Security::PlainOnLoopback),
        from: "To The Moon <ttm@example.org>".to_owned(),
        to: vec!["Ops <ops@example.org>".to_owned(), "ada@example.org".to_owned()],
        // Long enough for loopback on a busy machine; what is to time out has its own.
        timeout: Duration::from_secs(20),
    }
}

pub(crate) fn channel(server: &Server, security: Security) -> EmailNotifier {
    EmailNotifier::try_new(&config(server, security), words()).expect("valid")
}

pub(crate) fn item() -> Item {
    Item {
        key: AlertKey::new("group_not_running", labels("group=hot")),
        episode: Episode { id: EpisodeId { epoch: Epoch::new(12), number: 3 }, started: wall(-600) },
        news: News::New,
        severity: Severity::Critical,
        value: Some(81.0),
        limit: Some(60.0),
        ended: None,
        acknowledged_by: None,
    }
}

/// The same once it is over.
pub(crate) fn over() -> Item {
    Item { news: News::Resolved, ended: Some((wall(-30), Ending::Recovered)), ..item() }
}

/// An attempt to send a message about this.
pub(crate) fn attempt(item: Item, attempts: u32, replies_to: Option<&str>) -> Attempt {
    let key = RowKey {
        channel: ChannelId::new("mail"),
        alert: item.key.clone(),
        episode: item.episode.id,
        step: if replies_to.is_some() { 2 } else { 1 },
    };
    let message = Message {
        group: Arc::clone(&item.key.rule),
        severity: item.severity,
        fires: item.ended.is_none(),
        items: vec![item],
        more_items: 0,
        affected: Vec::new(),
        more_affected: 0,
        replies_to: replies_to.map(Arc::from),
        at: wall(0),
    };
    let row = OutboxRow { key, message, covers: Arc::default(), attempts, failing_since: None };
    Attempt { row, was_down: None, is_unsaved: false }
}

pub(crate) fn words() -> Arc<dyn Words> {
    Arc::new(Saying(About {
        meaning: Some("a group's <next> run is late".to_owned()),
        unit: Some(Unit::Seconds),
        command: Some("ttm recovery".to_owned()),
        runbook: Some("https://ttm.example/runbooks/group_not_running".to_owned()),
        acknowledge: Some(Acknowledge::Link("https://ttm.example/ack/1?a=1&b=2".to_owned())),
        ..About::default()
    }))
}

/// Why a message was not delivered, and whether it is to be tried again.
#[track_caller]
pub(crate) fn failure(outcome: &Outcome) -> (bool, &str) {
    match outcome {
        Outcome::Retry { after: None, why } => (true, why),
        Outcome::Refused { why } => (false, why),
        other => panic!("{other:?}"),
    }
}

/// The headers of an e-mail, each as one line.
pub(crate) fn headers(email: &str) -> Vec<(String, String)> {
    let (head, _) = email.split_once("\r\n\r\n").expect("a body");
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let pairs = unfolded.split("\r\n").map(|line| line.split_once(": ").expect("a header"));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The value of a header; empty if there is none.
pub(crate) fn header(email: &str, name: &str) -> String {
    headers(email).into_iter().find(|(it, _)| it == name).map(|(_, value)| value).unwrap_or_default()
}
