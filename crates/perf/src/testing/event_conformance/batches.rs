//! The laws about what is appended: 1 to 3.

use jiff::Timestamp;
use ttm_kernel::Severity;
use ttm_kernel::testing::expect;

use super::fixture::{all, append, at, event, events, listed, paged, places, subject, with_kind};
use crate::{Event, EventId, EventKind, EventStore, Payload, Subject};

/// Law 1, after a restart: every field, and the ends of every number and text.
pub(super) async fn an_acknowledged_batch_survives_reopening_as_it_was(
    open: impl AsyncFn() -> Box<dyn EventStore>,
) {
    const SUBJECT: &str = "law1:Reopened/So1~\"'\\%_";
    let payloads = [
        "{}".to_owned(),
        r#"{ "b":1.50, "a" :[1e3,-0, null], "b": "\u0000 \ud800 ü \"" }"#.to_owned(),
        format!(r#"{{"long":"{}"}}"#, "x".repeat(Payload::MAX_BYTES - 11)),
        r#"{"big":123456789012345678901234567890}"#.to_owned(),
    ];
    let severities = [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical];
    let times = [-1_000_001, 0, 1_700_000_000_123_456, 4_102_444_799_999_999];
    let ids = [0, 1, 1 << 127, u128::MAX];
    let kinds = ["law1", "law1.was.as_it_is", "law1.2", "law1._"];
    let mut batch: Vec<Event> = Vec::new();
    for (n, payload) in payloads.iter().enumerate() {
        let payload = payload.parse().expect("JSON");
        let kind = kinds[n].parse().expect("a kind");
        let id = EventId::from_bits(ids[n]);
        batch.push(Event::new(id, at(times[n]), kind, subject(SUBJECT), severities[n], payload));
    }
    let store = open().await;
    append(store.as_ref(), &batch).await;
    drop(store);
    let found = listed(open().await.as_ref(), &all(SUBJECT)).await;
    expect("events", batch.len(), found.len());
    for (got, expected) in found.iter().zip(batch.iter().rev()) {
        expect("an event", expected, got);
    }
}

/// Law 3, after a restart.
pub(super) async fn duplicates_are_known_after_reopening(open: impl AsyncFn() -> Box<dyn EventStore>) {
    let (first, again) = (event("law3.reopened", 0, 1), with_kind("law3.reopened", 0, 1, "test.again"));
    let next = event("law3.reopened", 1, 1);
    let store = open().await;
    append(store.as_ref(), std::slice::from_ref(&first)).await;
    drop(store);
    let store = open().await;
    let counts = append(store.as_ref(), &[again, next.clone()]).await;
    expect("stored and duplicates", (1, 1), counts);
    expect("events", [next, first], listed(store.as_ref(), &all("law3.reopened")).await);
}

/// Laws 1 and 3: the counts add up to the batch.
pub(super) async fn every_event_of_a_batch_is_either_stored_or_a_duplicate(store: &dyn EventStore) {
    let batch = events("law1.counts", 10);
    for (sent, counts) in [(6, (6, 0)), (10, (4, 6)), (10, (0, 10))] {
        expect("stored and duplicates", counts, append(store, &batch[..sent]).await);
    }
    expect("events", 10, listed(store, &all("law1.counts")).await.len());
}

/// Law 3, between batches and inside one. Another time or another id is another event.
pub(super) async fn the_first_event_of_an_identity_wins(store: &dyn EventStore) {
    let first = event("law3", 5, 7);
    let again = with_kind("law3", 5, 7, "test.again");
    let (another_id, another_time) = (event("law3", 5, 8), event("law3", 6, 7));
    expect("stored and duplicates", (1, 1), append(store, &[first.clone(), again.clone()]).await);
    expect("the first of a batch", std::slice::from_ref(&first), listed(store, &all("law3")).await);
    let batch = [again, another_id.clone(), another_time.clone()];
    expect("stored and duplicates", (2, 1), append(store, &batch).await);
    expect("events", [another_time, another_id, first], listed(store, &all("law3")).await);
}

/// Law 2, its smallest case.
pub(super) async fn an_empty_batch_is_stored_at_once(store: &dyn EventStore) {
    expect("stored and duplicates", (0, 0), append(store, &[]).await);
}

/// Law 2, for a batch that no adapter stores in one statement, nor returns on one page.
pub(super) async fn a_large_batch_is_stored_whole(store: &dyn EventStore) {
    let batch = events("law2", 1_201);
    expect("stored and duplicates", (1_201, 0), append(store, &batch).await);
    let found = paged(store, &all("law2")).await;
    expect("events", 1_201, found.len());
    assert!(found == places(&batch), "all pages: expected the events of the batch, got others");
}

/// Law 1: kinds and subjects that differ in the last of their bytes.
pub(super) async fn the_longest_names_are_told_apart(store: &dyn EventStore) {
    let [subjects, kinds] = [Subject::MAX_BYTES, EventKind::MAX_BYTES]
        .map(|bytes| ["a", "b"].map(|last| format!("law1.{}{last}", "x".repeat(bytes - 6))));
    let batch: Vec<Event> =
        (0_u8..4).map(usize::from).map(|n| with_kind(&subjects[n / 2], 0, n as u64, &kinds[n % 2])).collect();
    expect("stored and duplicates", (4, 0), append(store, &batch).await);
    for (n, event) in batch.iter().enumerate() {
        let query = all(&subjects[n / 2]).of_kind(&kinds[n % 2]).expect("the suite's kinds are valid");
        expect("the event of both names", std::slice::from_ref(event), listed(store, &query).await);
    }
}

/// Law 2: a time that a store may refuse, behind events that it takes.
pub(super) async fn a_batch_is_stored_whole_or_refused_whole(store: &dyn EventStore) {
    const COUNT: u16 = 1_200;
    let mut batch = events("law2.refused", COUNT);
    let last = event("law2.refused", 0, 1);
    let payload = last.payload().clone();
    let (kind, subject) = (last.kind().clone(), last.subject().clone());
    batch.push(Event::new(last.id(), Timestamp::MIN, kind, subject, last.severity(), payload));
    let outcome = store.append(&batch).await;
    let kept = if outcome.is_ok() { batch.len() } else { 0 };
    let found = paged(store, &all("law2.refused")).await;
    expect(format!("events after {outcome:?}"), kept, found.len());
    let counts = if outcome.is_ok() { (0, COUNT.into()) } else { (COUNT.into(), 0) };
    let again = append(store, &batch[..COUNT.into()]).await;
    expect("stored and duplicates of the rest", counts, again);
}
