//! Alerts, silences and messages as examples, and a desk that answers with them.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::{Weekday, date, time};
use ttm_alert::testing::{MockAlertControl, labels};
use ttm_alert::{
    Ack, AlertControl, AlertKey, AlertRecord, AlertView, Case, ChannelId, ChannelView, DeadLetter, Ending,
    Episode, EpisodeId, Identity, Item, Matcher, Message, News, OrderRefused, Ordered, OutboxRow, Outcome,
    Phase, Quiet, QuietId, Receipt, RowKey, RuleSpec, Said, SavedAlert, Told, When, Zone, defaults,
};
use ttm_kernel::{Epoch, Severity};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

pub(crate) fn episode(number: u64) -> EpisodeId {
    EpisodeId { epoch: Epoch::new(12), number }
}

pub(crate) fn rules() -> Vec<RuleSpec> {
    defaults::rules()
}

/// An alert in this phase; one that fires or is over has an episode, which began at second 60.
pub(crate) fn alert(rule: &str, pairs: &str, phase: Phase, severity: Severity) -> AlertView {
    let key = AlertKey::new(rule, labels(pairs));
    let has_case = phase != Phase::Pending;
    let begun = Episode { id: episode(3), started: at(60) };
    let life = SavedAlert {
        key: key.clone(),
        phase,
        held: Duration::ZERO,
        worse: Phase::Inactive,
        worse_held: Duration::ZERO,
        episode: phase.fires().then_some(begun),
        value: Some(81.5),
    };
    let case = Case {
        episode: begun,
        severity,
        value: Some(80.0),
        ended: (!phase.fires()).then_some((at(120), Ending::Recovered)),
        ack: None,
        opened: Some(at(60)),
        step: 0,
        is_notice: false,
        least: Severity::Info,
        told: Vec::new(),
    };
    AlertView {
        id: key.identity(),
        record: AlertRecord {
            key,
            life: (phase != Phase::Inactive).then_some(life),
            changes: Vec::new(),
            is_flapping: false,
            cases: has_case.then_some(case).into_iter().collect(),
        },
        severity,
        limit: Some(80.0),
        hidden: None,
    }
}

/// One that fires, of which everything is known.
pub(crate) fn cpu() -> AlertView {
    let mut view = alert("cpu", "", Phase::Firing, Severity::Warning);
    let case = &mut view.record.cases[0];
    case.ack = Some(Ack { by: "anna".to_owned(), at: at(90), severity: Severity::Warning });
    let said = |is_over| Said { is_over, severity: Severity::Warning, is_flapping: false, step: 0 };
    let told = Told {
        channel: ChannelId::new("ops"),
        said: Some(said(false)),
        refused: None,
        at: Some(at(61)),
        is_delivered: true,
        is_due: false,
        is_once: false,
        messages: 1,
        remote_id: Some("17.3".into()),
    };
    let refused = Told {
        channel: ChannelId::new("phone"),
        refused: Some(said(false)),
        is_delivered: false,
        ..told.clone()
    };
    case.told = vec![told, refused];
    view
}

pub(crate) fn row_key(view: &AlertView, step: u32) -> RowKey {
    let (alert, episode) = (view.record.key.clone(), episode(3));
    RowKey { channel: ChannelId::new("ops"), alert, episode, step }
}

pub(crate) fn receipt(view: &AlertView, attempt: u32, second: i64, outcome: Outcome) -> Receipt {
    let latency = Duration::from_millis(120);
    Receipt { key: row_key(view, 1), attempt, outcome, latency, at: at(second) }
}

/// A message about these, which the channel refused.
pub(crate) fn dead_letter(views: &[&AlertView]) -> DeadLetter {
    let said = Said { is_over: false, severity: Severity::Warning, is_flapping: false, step: 0 };
    let first = views[0];
    let item = Item {
        key: first.record.key.clone(),
        episode: first.record.cases[0].episode,
        news: News::New,
        severity: Severity::Warning,
        value: None,
        limit: None,
        ended: None,
        acknowledged_by: None,
    };
    let message = Message {
        group: first.record.key.rule.clone(),
        severity: Severity::Warning,
        fires: true,
        items: vec![item],
        more_items: 0,
        affected: Vec::new(),
        more_affected: 0,
        replies_to: None,
        at: at(60),
    };
    let covers = views.iter().map(|view| (view.record.key.clone(), episode(3), said)).collect();
    let row = OutboxRow {
        key: row_key(first, 1),
        message,
        covers: Arc::new(covers),
        attempts: 2,
        failing_since: None,
    };
    DeadLetter { row, why: "400: no such channel".to_owned(), at: at(70) }
}

pub(crate) fn silence(from: Timestamp, until: Timestamp) -> Quiet {
    let matcher = Matcher { rule: Some("cpu".to_owned()), severity: None, labels: Some(labels("group=hot")) };
    Quiet::try_new(matcher, When::Once { from, until: Some(until) }, "anna", "new disks").expect("valid")
}

pub(crate) fn window() -> Quiet {
    let when = When::Weekly {
        zone: Zone::parse("Europe/Berlin").expect("known"),
        days: vec![Weekday::Tuesday, Weekday::Monday],
        from: time(22, 0, 0, 0),
        to: time(1, 30, 0, 0),
        first: date(1970, 1, 1),
        last: Some(date(1970, 6, 30)),
    };
    let matcher = Matcher { rule: None, severity: Some(Severity::Warning), labels: None };
    Quiet::try_new(matcher, when, "bob", "backups").expect("valid")
}

pub(crate) fn quiets() -> Vec<(QuietId, Quiet)> {
    vec![(QuietId(3), silence(at(0), at(7_200))), (QuietId(4), window())]
}

pub(crate) fn channels() -> Vec<ChannelView> {
    let ops = ChannelView { id: ChannelId::new("ops"), failing: None, waiting: 0 };
    let failing = Some((at(60), "503: try later".to_owned()));
    vec![ops.clone(), ChannelView { id: ChannelId::new("phone"), failing, waiting: 2 }]
}

/// A desk with these alerts, whose orders are still to be expected.
pub(crate) fn desk(mut views: Vec<AlertView>) -> MockAlertControl {
    views.sort_by(|one, other| one.record.key.cmp(&other.record.key));
    let mut desk = MockAlertControl::new();
    let all = views.clone();
    desk.expect_alerts().returning(move |after, limit| {
        let is_after = |view: &&AlertView| after.as_ref().is_none_or(|after| view.record.key > *after);
        Ok(all.iter().filter(is_after).take(limit).cloned().collect())
    });
    desk.expect_alert().returning(move |id| {
        let unknown = || OrderRefused::Unknown { what: format!("alert with the id {id}") };
        views.iter().find(|view| view.id == id).cloned().ok_or_else(unknown)
    });
    desk.expect_silences().returning(|| Ok(quiets()));
    desk.expect_channels().returning(|| Ok(channels()));
    desk.expect_rules().returning(rules);
    desk
}

/// A desk whose store never answers.
pub(crate) struct Hanging(pub(crate) MockAlertControl);

#[async_trait]
impl AlertControl for Hanging {
    async fn alerts(&self, after: Option<AlertKey>, limit: usize) -> Result<Vec<AlertView>, OrderRefused> {
        self.0.alerts(after, limit).await
    }

    async fn alert(&self, id: Identity) -> Result<AlertView, OrderRefused> {
        self.0.alert(id).await
    }

    async fn acknowledge(
        &self,
        _: Identity,
        _: Option<EpisodeId>,
        _: &str,
    ) -> Result<Ordered<AlertView>, OrderRefused> {
        pending().await
    }

    async fn silences(&self) -> Result<Vec<(QuietId, Quiet)>, OrderRefused> {
        self.0.silences().await
    }

    async fn silence(&self, _: Quiet) -> Result<Ordered<QuietId>, OrderRefused> {
        pending().await
    }

    async fn end_silence(&self, _: QuietId) -> Result<Ordered<()>, OrderRefused> {
        pending().await
    }

    async fn receipts(&self, _: usize) -> Result<Vec<Receipt>, OrderRefused> {
        pending().await
    }

    async fn dead_letters(&self, _: usize) -> Result<Vec<DeadLetter>, OrderRefused> {
        pending().await
    }

    async fn tell_again(&self, _: Identity, _: &ChannelId) -> Result<Ordered<()>, OrderRefused> {
        pending().await
    }

    async fn channels(&self) -> Result<Vec<ChannelView>, OrderRefused> {
        self.0.channels().await
    }

    fn rules(&self) -> Vec<RuleSpec> {
        self.0.rules()
    }
}
