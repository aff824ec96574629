//! The laws of [`EventStore`] as a suite. Each law uses subjects of its own, so that all of them can share one store; a
//! broken law panics with what was expected.
#![expect(
    clippy::missing_panics_doc,
    reason = "a law that does not hold panics: that is what the suite is for"
)]

use jiff::Timestamp;
use ttm_kernel::Severity;

use crate::{Event, EventCursor, EventId, EventQuery, EventStore, Payload, Subject};

/// Checks every law. Each call of `open` opens the same store again, as a restarted process would, without removing
/// what is in it; the store before was dropped.
pub async fn check(open: impl AsyncFn() -> Box<dyn EventStore>) {
    an_acknowledged_batch_survives_reopening_as_it_was(&open).await;
    let store = open().await;
    let store = store.as_ref();
    every_event_of_a_batch_is_either_stored_or_a_duplicate(store).await;
    the_first_event_of_an_identity_wins(store).await;
    a_large_batch_is_stored_whole(store).await;
    a_question_holds_its_begin_and_not_its_end(store).await;
    events_are_chosen_by_the_beginning_of_their_kind(store).await;
    pages_miss_and_repeat_nothing(store).await;
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).expect("the suite's times are in range")
}

fn subject(text: &str) -> Subject {
    text.parse().expect("the suite names its subjects well")
}

/// An event whose payload says its number.
fn event(of: &str, micros: i64, id: u128) -> Event {
    with_kind(of, micros, id, "test.happened")
}

fn with_kind(of: &str, micros: i64, id: u128, kind: &str) -> Event {
    let payload: Payload = format!(r#"{{"number": {id}}}"#).parse().expect("JSON");
    let kind = kind.parse().expect("the suite names its kinds well");
    Event::new(EventId::from_bits(id), at(micros), kind, subject(of), Severity::Info, payload)
}

fn all(of: &str) -> EventQuery {
    EventQuery::try_new(Timestamp::MIN, Timestamp::MAX, EventQuery::MAX_LIMIT)
        .expect("the suite's questions are valid")
        .of_subject(subject(of))
}

async fn listed(store: &dyn EventStore, query: &EventQuery) -> Vec<Event> {
    store.list(query).await.expect("list answers").events
}

/// Law 1, after a restart. What a crash does to the store needs a process to kill, and is tested where there is one.
pub async fn an_acknowledged_batch_survives_reopening_as_it_was(open: impl AsyncFn() -> Box<dyn EventStore>) {
    let payloads = [
        "{}".to_owned(),
        r#"{ "b":1.50, "a" :[1e3,-0, null], "b": "\u0000 \ud800 ü \"" }"#.to_owned(),
        format!(r#"{{"long":"{}"}}"#, "x".repeat(Payload::MAX_BYTES - 11)),
        r#"{"big":123456789012345678901234567890}"#.to_owned(),
    ];
    let severities = [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical];
    let times = [-1_000_001, 0, 1_700_000_000_123_456, 4_102_444_799_999_999];
    let ids = [0, 1, 1 << 127, u128::MAX];
    let mut batch: Vec<Event> = Vec::new();
    for (n, payload) in payloads.iter().enumerate() {
        let payload = payload.parse().expect("JSON");
        let kind = "law1.was.as_it_is".parse().expect("a kind");
        let id = EventId::from_bits(ids[n]);
        batch.push(Event::new(id, at(times[n]), kind, subject("law1:reopened"), severities[n], payload));
    }
    let store = open().await;
    store.append(&batch).await.expect("append works");
    drop(store);
    let store = open().await;
    batch.reverse();
    assert_eq!(listed(store.as_ref(), &all("law1:reopened")).await, batch);
}

/// Laws 1 and 3: the counts add up to the batch.
pub async fn every_event_of_a_batch_is_either_stored_or_a_duplicate(store: &dyn EventStore) {
    let batch: Vec<Event> =
        (0..10_u8).map(|n| event("law1.counts", n.into(), 1_000 + u128::from(n))).collect();
    for (sent, counts) in [(0, (0, 0)), (6, (6, 0)), (10, (4, 6)), (10, (0, 10))] {
        let appended = store.append(&batch[..sent]).await.expect("append works");
        assert_eq!((appended.stored, appended.duplicates), counts);
    }
    assert_eq!(listed(store, &all("law1.counts")).await.len(), 10);
}

/// Law 3, between batches and inside one. Another time or another id is another event.
pub async fn the_first_event_of_an_identity_wins(store: &dyn EventStore) {
    let first = event("law3", 5, 7);
    let again = with_kind("law3", 5, 7, "test.again");
    let (another_id, another_time) = (event("law3", 5, 8), event("law3", 6, 7));
    let appended = store.append(&[first.clone(), again.clone()]).await.expect("append works");
    assert_eq!((appended.stored, appended.duplicates), (1, 1));
    let batch = [again, another_id.clone(), another_time.clone()];
    let appended = store.append(&batch).await.expect("append works");
    assert_eq!((appended.stored, appended.duplicates), (2, 1));
    assert_eq!(listed(store, &all("law3")).await, [another_time, another_id, first]);
}

/// Law 2, for a batch that no adapter stores in one statement.
pub async fn a_large_batch_is_stored_whole(store: &dyn EventStore) {
    let batch: Vec<Event> = (0..1_000_u16).map(|n| event("law2", n.into(), 2_000 + u128::from(n))).collect();
    assert_eq!(store.append(&batch).await.expect("append works").stored, 1_000);
    assert_eq!(listed(store, &all("law2")).await.len(), 1_000);
}

/// Law 4, to the microsecond.
pub async fn a_question_holds_its_begin_and_not_its_end(store: &dyn EventStore) {
    let batch = [-1, 0, 999, 1_000].map(|micros| event("law4.ends", micros, 4_000));
    store.append(&batch).await.expect("append works");
    let nano = |nanos| Timestamp::from_nanosecond(nanos).expect("in range");
    let ask = async |from, to| {
        let query = EventQuery::try_new(from, to, 10).expect("valid").of_subject(subject("law4.ends"));
        listed(store, &query).await.iter().map(|event| event.at().as_microsecond()).collect::<Vec<_>>()
    };
    assert_eq!(ask(at(0), at(1_000)).await, [999, 0]);
    assert_eq!(ask(nano(1), nano(999_001)).await, [999], "999 µs is before 999.001 µs");
    assert_eq!(ask(nano(-1_001), nano(1)).await, [0, -1]);
    assert_eq!(ask(nano(1), nano(999)).await, [], "no microsecond is between");
}

/// Law 4.
pub async fn events_are_chosen_by_the_beginning_of_their_kind(store: &dyn EventStore) {
    let kinds = ["law4", "law4.b", "law4.a.x", "law4.a", "law4.a_b", "law40"];
    let batch: Vec<Event> =
        (0..).zip(kinds).map(|(n, kind)| with_kind("law4.kinds", n, 4_100, kind)).collect();
    store.append(&batch).await.expect("append works");
    let ask = async |prefix: &str| {
        let query = all("law4.kinds").of_kind(prefix).expect("the suite's kinds are valid");
        let found = listed(store, &query).await;
        found.iter().map(|event| event.kind().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ask("law4.a").await, ["law4.a_b", "law4.a", "law4.a.x"]);
    assert_eq!(ask("law4.").await, ["law4.a_b", "law4.a", "law4.a.x", "law4.b"]);
    assert_eq!(ask("law4.c").await, [""; 0]);
    assert_eq!(ask("").await.len(), 6);
}

/// Laws 4 and 5, with several events at one time, and new ones on both sides of the reader.
pub async fn pages_miss_and_repeat_nothing(store: &dyn EventStore) {
    let times = [3, 3, 3, 3, 3, 2, 2, 1, 0, -1];
    let batch: Vec<Event> = (5_000..).zip(times).map(|(id, micros)| event("law5", micros, id)).collect();
    store.append(&batch).await.expect("append works");
    let mut expected: Vec<EventCursor> = batch.iter().map(EventCursor::of).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    for limit in [1, 2, 3, 5, 9, 10, 11] {
        let query = EventQuery::try_new(at(-10), at(10), limit).expect("valid").of_subject(subject("law5"));
        let (mut seen, mut page) = (Vec::new(), query.clone());
        for asked in 0.. {
            let found = store.list(&page).await.expect("list answers");
            assert!(found.events.len() <= limit && asked <= expected.len());
            seen.extend(found.events.iter().map(EventCursor::of));
            let Some(next) = found.next else { break };
            assert_eq!(next.to_string().parse(), Ok(next), "a cursor survives its way over the wire");
            page = query.clone().after(next);
        }
        assert_eq!(seen, expected, "{limit} a page");
    }
    let query = EventQuery::try_new(at(-10), at(10), 4).expect("valid").of_subject(subject("law5"));
    let first = store.list(&query).await.expect("list answers");
    store.append(&[event("law5", 9, 1), event("law5", 3, 9_999)]).await.expect("append works");
    let rest = query.after(first.next.expect("there is more"));
    let rest = store.list(&rest).await.expect("list answers");
    let seen: Vec<EventCursor> = first.events.iter().chain(&rest.events).map(EventCursor::of).collect();
    assert_eq!(seen, expected[..8]);
}
