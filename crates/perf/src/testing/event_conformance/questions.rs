//! The laws about which events match a question: 4.

use jiff::Timestamp;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use ttm_kernel::testing::{expect, works};

use super::fixture::{all, append, at, between, event, listed, subject, with_kind};
use crate::testing::{FakeEventStore, any_event, any_event_query};
use crate::{Event, EventQuery, EventStore};

/// Law 4, to the microsecond.
pub(super) async fn a_question_holds_its_begin_and_not_its_end(store: &dyn EventStore) {
    let batch = [-1, 0, 999, 1_000].map(|micros| event("law4.ends", micros, 4_000));
    append(store, &batch).await;
    let nano = |nanos| Timestamp::from_nanosecond(nanos).expect("in range");
    let ask = async |from, to| {
        let query = EventQuery::try_new(from, to, 10).expect("valid").of_subject(subject("law4.ends"));
        listed(store, &query).await.iter().map(|event| event.at().as_microsecond()).collect::<Vec<_>>()
    };
    expect("from an event to another", [999, 0], ask(at(0), at(1_000)).await);
    expect("999 µs is before 999.001 µs", [999], ask(nano(1), nano(999_001)).await);
    expect("-1 µs is after -1.001 µs", [0, -1], ask(nano(-1_001), nano(1)).await);
    expect("no microsecond is between", [0; 0], ask(nano(1), nano(999)).await);
}

/// Law 4: neither what contains it nor what some languages take for it.
pub(super) async fn events_are_chosen_by_the_beginning_of_their_kind(store: &dyn EventStore) {
    let kinds = ["law4", "law4.b", "law4.a.x", "law4.a", "law4.a_b", "law4.axb", "law40", "own.law4.a"];
    let batch: Vec<Event> =
        (0..).zip(kinds).map(|(n, kind)| with_kind("law4.kinds", n, 4_100, kind)).collect();
    append(store, &batch).await;
    for (prefix, expected) in [
        ("law4.a", &["law4.axb", "law4.a_b", "law4.a", "law4.a.x"][..]),
        ("law4.", &["law4.axb", "law4.a_b", "law4.a", "law4.a.x", "law4.b"]),
        ("law4.a_", &["law4.a_b"]),
        ("law4._", &[]),
        ("law4.c", &[]),
        ("aw4", &[]),
        ("", &["own.law4.a", "law40", "law4.axb", "law4.a_b", "law4.a", "law4.a.x", "law4.b", "law4"]),
    ] {
        let query = all("law4.kinds").of_kind(prefix).expect("the suite's kinds are valid");
        let found = listed(store, &query).await;
        let kinds: Vec<&str> = found.iter().map(|event| event.kind().as_str()).collect();
        expect(format!("kinds that begin with {prefix:?}"), expected, kinds);
    }
}

/// Law 4: neither by a part of it, nor without its case, nor by what some languages take for it. A mint differs from another by
/// the case of one letter.
pub(super) async fn events_are_chosen_by_their_whole_subject(store: &dyn EventStore) {
    let subjects = [
        "law4.So1",
        "law4.so1",
        "law4.SO1",
        "law4.So11",
        "law4.So",
        "law4.S_1",
        "law4.S%",
        "own.law4.So1",
        "law4.So1*",
        "law4.So1.x",
    ];
    let batch: Vec<Event> = (0..).zip(subjects).map(|(n, of)| event(of, n, 4_200)).collect();
    append(store, &batch).await;
    for event in &batch {
        let found = listed(store, &all(event.subject().as_str())).await;
        expect(format!("events of {}", event.subject()), std::slice::from_ref(event), found);
    }
    for nobody in ["law4.S", "law4.%", "law4.So_", "LAW4.SO1", "law4.*"] {
        expect(format!("events of {nobody}"), [] as [Event; 0], listed(store, &all(nobody)).await);
    }
}

/// Law 4. No other law has events of this time.
pub(super) async fn a_question_without_a_subject_finds_those_of_all(store: &dyn EventStore) {
    const FROM: i64 = 1_111_111_111_000_000;
    let of =
        [("law4.one", "test.a"), ("law4.two", "test.b"), ("Law4.Three", "test.a"), ("law4.one", "test.a")];
    let batch: Vec<Event> =
        (FROM..).zip(of).map(|(at, (subject, kind))| with_kind(subject, at, 4_300, kind)).collect();
    append(store, &batch).await;
    let back = |of: &[usize]| of.iter().rev().map(|n| batch[*n].clone()).collect::<Vec<_>>();
    let query = between(FROM, FROM + 1_000, 10);
    expect("events of all subjects", back(&[0, 1, 2, 3]), listed(store, &query).await);
    let of_kind = query.of_kind("test.a").expect("the suite's kinds are valid");
    expect("events of all subjects and one kind", back(&[0, 2, 3]), listed(store, &of_kind).await);
    let begin = between(FROM, FROM + 2, 10);
    expect("the first events of all subjects", back(&[0, 1]), listed(store, &begin).await);
}

/// Laws 1, 3 and 4 on generated events, the same in every run: every question has the fake's answer.
pub(super) async fn any_record_gives_the_pages_of_the_fake(store: &dyn EventStore) {
    let mut runner = TestRunner::deterministic();
    let fake = FakeEventStore::new();
    let mut events: Vec<Event> = Vec::new();
    for of in ["laws.One", "laws.one", "laws.one.1"].into_iter().cycle().take(90) {
        let any = any_event().new_tree(&mut runner).expect("the strategy rejects nothing").current();
        let (kind, payload) = (any.kind().clone(), any.payload().clone());
        events.push(Event::new(any.id(), any.at(), kind, subject(of), any.severity(), payload));
    }
    for batch in [&events[..40], &events[20..70], &events[..]] {
        let expected = works("the fake's append", fake.append(batch).await);
        expect("stored and duplicates", (expected.stored, expected.duplicates), append(store, batch).await);
    }
    for (n, event) in events.iter().enumerate() {
        let query = any_event_query().new_tree(&mut runner).expect("few are rejected").current();
        let begin: String = event.kind().as_str().chars().take(n % 3).collect();
        let query =
            query.of_subject(event.subject().clone()).of_kind(&begin).expect("the beginning of a kind");
        let expected = works("the fake's list", fake.list(&query).await);
        expect(format!("the answer to {query:?}"), expected, works("list", store.list(&query).await));
    }
}
