//! What a version of this program has written, every later one must read.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use ttm_alert::testing::labels;
use ttm_alert::{
    Ack, AlertKey, AlertRecord, Case, ChannelId, Ending, Episode, EpisodeId, Item, Journalled, Matcher,
    Message, News, OutboxRow, Outcome, Phase, Quiet, RowKey, Said, SavedAlert, Told, When, Zone,
};
use ttm_alert_json::{read, record, state, write};
use ttm_kernel::Severity;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn alert() -> AlertKey {
    AlertKey::new("cpu", labels("group=hot"))
}

fn episode() -> Episode {
    Episode { id: EpisodeId::parse("12-3").expect("an id"), started: AT }
}

const SAID: Said = Said { is_over: false, severity: Severity::Critical, is_flapping: false, step: 1 };

#[test]
fn the_state_of_an_alert() {
    let told = Told {
        channel: ChannelId::new("ops"),
        said: Some(SAID),
        refused: None,
        at: Some(AT + Duration::from_nanos(1)),
        is_delivered: true,
        is_due: true,
        is_once: false,
        messages: 2,
        remote_id: Some("1503435956.000247".into()),
    };
    let case = Case {
        episode: episode(),
        severity: Severity::Critical,
        value: Some(97.25),
        ended: Some((AT, Ending::Recovered)),
        ack: Some(Ack { by: "ada".to_owned(), at: AT, severity: Severity::Error }),
        opened: None,
        step: 1,
        is_notice: false,
        least: Severity::Info,
        told: vec![told],
    };
    let life = SavedAlert {
        key: alert(),
        phase: Phase::Firing,
        held: Duration::from_secs(30),
        worse: Phase::Inactive,
        worse_held: Duration::ZERO,
        episode: Some(episode()),
        value: Some(-0.0),
    };
    let it = AlertRecord {
        key: alert(),
        life: Some(life),
        changes: vec![AT],
        is_flapping: true,
        cases: vec![case],
    };
    let kept = r#"{"life":{"phase":"firing","held_us":30000000,"worse":"inactive","worse_held_us":0,"episode":{"id":"12-3","started":"1970-01-01T00:00:00Z"},"value":"-0.0"},"changes":["1970-01-01T00:00:00Z"],"is_flapping":true,"cases":[{"episode":{"id":"12-3","started":"1970-01-01T00:00:00Z"},"severity":"CRITICAL","least":"INFO","value":"97.25","ended":["1970-01-01T00:00:00Z","recovered"],"ack":{"by":"ada","at":"1970-01-01T00:00:00Z","severity":"ERROR"},"opened":null,"step":1,"is_notice":false,"told":[{"channel":"ops","said":{"is_over":false,"severity":"CRITICAL","is_flapping":false,"step":1},"refused":null,"at":"1970-01-01T00:00:00.000000001Z","is_delivered":true,"is_due":true,"is_once":false,"messages":2,"remote_id":"1503435956.000247"}]}]}"#;
    assert_eq!(state(&it).expect("it has a form"), kept);
    assert_eq!(record(alert(), kept).expect("it is read"), it);
}

#[test]
fn a_message_that_was_sent_from_memory() {
    let item = Item {
        key: alert(),
        episode: episode(),
        news: News::New,
        severity: Severity::Critical,
        value: Some(0.1),
        limit: Some(80.0),
        ended: None,
        acknowledged_by: None,
    };
    let message = Message {
        group: "cpu".into(),
        severity: Severity::Critical,
        fires: true,
        items: vec![item],
        more_items: 0,
        affected: vec![AlertKey::new("stalled", labels(""))],
        more_affected: 2,
        replies_to: None,
        at: AT,
    };
    let key = RowKey { channel: ChannelId::new("ops"), alert: alert(), episode: episode().id, step: 1 };
    let covers = Arc::new(vec![(alert(), episode().id, SAID)]);
    let row = OutboxRow { key, message, covers, attempts: 1, failing_since: Some(AT) };
    let outcome = Outcome::Retry { after: Some(Duration::from_millis(1_500)), why: "429".to_owned() };
    let it = Journalled { row, outcome: Some(outcome) };
    let kept = r#"{"row":{"key":{"channel":"ops","alert":["cpu","group=hot"],"episode":"12-3","step":1},"message":{"group":"cpu","severity":"CRITICAL","fires":true,"items":[{"key":["cpu","group=hot"],"episode":{"id":"12-3","started":"1970-01-01T00:00:00Z"},"news":"new","severity":"CRITICAL","value":"0.1","limit":"80.0","ended":null,"acknowledged_by":null}],"more_items":0,"affected":[["stalled",""]],"more_affected":2,"replies_to":null,"at":"1970-01-01T00:00:00Z"},"covers":[[["cpu","group=hot"],"12-3",{"is_over":false,"severity":"CRITICAL","is_flapping":false,"step":1}]],"attempts":1,"failing_since":"1970-01-01T00:00:00Z"},"outcome":{"outcome":"retry","remote_id":null,"retry_after_us":1500000,"why":"429"}}"#;
    assert_eq!(write(&it).expect("it has a form"), kept);
    assert_eq!(read::<Journalled>(kept).expect("it is read"), it);
}

#[test]
fn a_silence_and_a_window() {
    let once = When::Once { from: AT, until: Some(AT + Duration::from_hours(1)) };
    let weekly = When::Weekly {
        zone: Zone::parse("Europe/Berlin").expect("it exists"),
        days: vec![Weekday::Sunday],
        from: Time::constant(23, 30, 0, 0),
        to: Time::constant(1, 0, 0, 0),
        first: Date::constant(2026, 12, 1),
        last: Some(Date::constant(2026, 12, 31)),
    };
    let matcher = Matcher { rule: Some("cpu".to_owned()), severity: None, labels: Some(labels("group=hot")) };
    for (when, kept) in [
        (
            once,
            r#"{"matcher":{"rule":"cpu","severity":null,"labels":"group=hot"},"when":{"once":{"from":"1970-01-01T00:00:00Z","until":"1970-01-01T01:00:00Z"}},"author":"ada","reason":"a move"}"#,
        ),
        (
            weekly,
            r#"{"matcher":{"rule":"cpu","severity":null,"labels":"group=hot"},"when":{"weekly":{"zone":"Europe/Berlin","days":["sunday"],"from":"23:30:00","to":"01:00:00","first":"2026-12-01","last":"2026-12-31"}},"author":"ada","reason":"a move"}"#,
        ),
    ] {
        let it = Quiet::try_new(matcher.clone(), when, "ada", "a move").expect("valid");
        assert_eq!(write(&it).expect("it has a form"), kept);
        assert_eq!(read::<Quiet>(kept).expect("it is read"), it);
    }
}
