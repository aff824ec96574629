//! The commits that the store's suite writes: every field at its ends.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Weekday, date, time};
use ttm_kernel::{Epoch, Severity};

use super::example::{labels, wall};
use crate::{
    Ack, AlertKey, AlertRecord, Case, ChannelId, DeadLetter, Ending, Episode, EpisodeId, Item, Matcher,
    Message, News, OutboxRow, Outcome, Phase, Quiet, Receipt, RowKey, Said, SavedAlert, Told, When, Zone,
};

pub(super) fn alert(of: &str) -> AlertKey {
    AlertKey::new("stalled", labels(&format!("group={of}")))
}

fn episode(epoch: Epoch, number: u64) -> Episode {
    Episode { id: EpisodeId { epoch, number }, started: wall(-60) }
}

/// The record of an alert that is pending.
pub(super) fn pending(of: &str) -> AlertRecord {
    let life = SavedAlert {
        key: alert(of),
        phase: Phase::Pending,
        held: Duration::from_micros(1_500_001),
        worse: Phase::Inactive,
        worse_held: Duration::ZERO,
        episode: None,
        value: Some(80.25),
    };
    AlertRecord {
        key: alert(of),
        life: Some(life),
        changes: Vec::new(),
        is_flapping: false,
        cases: Vec::new(),
    }
}

/// Records with every word that there is, and what may be absent both ways.
pub(super) fn records(epoch: Epoch) -> Vec<AlertRecord> {
    let mut records = Vec::new();
    for phase in Phase::ALL {
        for worse in Phase::ALL {
            let mut record = pending(&format!("{phase}-{worse}"));
            let fires = phase.fires().then(|| episode(epoch, u64::MAX >> 1));
            record.life = record.life.map(|life| SavedAlert {
                phase,
                worse,
                worse_held: Duration::from_hours(24 * 7),
                episode: fires,
                value: fires.map(|_| -0.1 + f64::EPSILON),
                ..life
            });
            records.push(record);
        }
    }
    let text = "line \"1\"\t\\ ü 'x'".to_owned();
    for (place, severity) in Severity::ALL.into_iter().enumerate() {
        for ended in [None, Some(Ending::Recovered), Some(Ending::Gone), Some(Ending::RuleRemoved)] {
            let is_over = ended.is_some();
            let said = Said { is_over, severity, is_flapping: !is_over, step: 9 };
            let told = Told {
                channel: ChannelId::new("ops"),
                said: Some(said),
                refused: Some(said).filter(|_| is_over),
                at: Some(wall(1)),
                is_delivered: is_over,
                is_due: !is_over,
                is_once: is_over,
                messages: u32::MAX >> 1,
                remote_id: Some(text.clone().into()),
            };
            let nothing = Told {
                channel: ChannelId::new("phone"),
                said: None,
                refused: None,
                at: None,
                remote_id: None,
                messages: 0,
                ..told.clone()
            };
            let case = |number| Case {
                episode: episode(epoch, number),
                severity,
                least: severity,
                value: Some(1e300).filter(|_| is_over),
                ended: ended.map(|ending| (wall(5), ending)),
                ack: Some(Ack { by: text.clone(), at: wall(3), severity }).filter(|_| is_over),
                opened: Some(wall(2)).filter(|_| !is_over),
                step: 3,
                is_notice: is_over,
                told: vec![told.clone(), nothing.clone()],
            };
            let key = alert(&format!("case-{place}-{}", ended.map_or("none", Ending::as_str)));
            records.push(AlertRecord {
                key,
                life: None,
                changes: vec![wall(-1), wall(-3), wall(7)],
                is_flapping: is_over,
                cases: vec![case(1), Case { told: Vec::new(), ..case(2) }],
            });
        }
    }
    records
}

/// A message that waits.
pub(super) fn row(epoch: Epoch, step: u32) -> OutboxRow {
    let key =
        RowKey { channel: ChannelId::new("ops"), alert: alert("row"), episode: episode(epoch, 7).id, step };
    let item = |news| Item {
        key: alert("row"),
        episode: episode(epoch, 7),
        news,
        severity: Severity::Error,
        value: (news != News::Passed).then_some(0.5),
        limit: (news != News::Passed).then_some(0.25),
        ended: (news == News::Passed).then_some((wall(4), Ending::Gone)),
        acknowledged_by: (news == News::Reminder).then(|| "ada \"ü\"".to_owned()),
    };
    let said = Said { is_over: false, severity: Severity::Error, is_flapping: false, step: 1 };
    let over = Said { is_over: true, ..said };
    let message = Message {
        group: "stalled".into(),
        severity: Severity::Error,
        fires: true,
        items: News::ALL.map(item).to_vec(),
        more_items: 3,
        affected: vec![alert("x"), AlertKey::new("late", labels(""))],
        more_affected: 9_999,
        replies_to: (step > 1).then(|| "C1/1700000000.1".into()),
        at: wall(6),
    };
    let other = EpisodeId { epoch, number: 8 };
    let covers = Arc::new(vec![(alert("row"), key.episode, said), (alert("x"), other, over)]);
    OutboxRow { key, message, covers, attempts: step, failing_since: (step > 1).then(|| wall(8)) }
}

/// What became of an attempt, in each of the ways.
pub(super) fn receipts(epoch: Epoch) -> Vec<Receipt> {
    let why = "503 \"ü\"".to_owned();
    let outcomes = [
        Outcome::Delivered { remote_id: None },
        Outcome::Delivered { remote_id: Some("id".into()) },
        Outcome::Retry { after: None, why: why.clone() },
        Outcome::Retry { after: Some(Duration::from_mins(1)), why: why.clone() },
        Outcome::Refused { why },
    ];
    let of = |(attempt, outcome)| receipt(epoch, attempt, outcome);
    (1..).zip(outcomes).map(of).collect()
}

pub(super) fn receipt(epoch: Epoch, attempt: u32, outcome: Outcome) -> Receipt {
    Receipt { key: row(epoch, 1).key, attempt, outcome, latency: Duration::from_micros(80_001), at: wall(9) }
}

pub(super) fn dead(epoch: Epoch, step: u32) -> DeadLetter {
    DeadLetter { row: row(epoch, step), why: "401 \"ü\"".to_owned(), at: wall(10) }
}

/// A silence and a maintenance window.
pub(super) fn quiets() -> Vec<Quiet> {
    let matcher = Matcher {
        rule: Some("stalled".to_owned()),
        severity: Some(Severity::Error),
        labels: Some(labels("group=hot")),
    };
    let once = When::Once { from: wall(0), until: Some(wall(3_600)) };
    let weekly = When::Weekly {
        zone: Zone::parse("Europe/Berlin").expect("it exists"),
        days: vec![Weekday::Sunday, Weekday::Wednesday],
        from: time(22, 30, 0, 0),
        to: time(4, 0, 0, 0),
        first: date(2026, 12, 1),
        last: Some(date(2027, 11, 30)),
    };
    let quiet = |matcher, when| Quiet::try_new(matcher, when, "ada ü", "the disk's \"end\"").expect("valid");
    vec![quiet(matcher, once.clone()), quiet(Matcher::default(), once), quiet(Matcher::default(), weekly)]
}
