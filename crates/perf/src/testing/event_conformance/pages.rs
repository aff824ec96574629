//! The laws about pages: 4 and 5.

use ttm_kernel::testing::{expect, works};

use super::fixture::{Place, append, at, between, event, listed, paged, places, subject, with_id, with_kind};
use crate::{Event, EventCursor, EventId, EventStore};

/// Law 4: an id is a number without a sign, in bytes from the first to the last.
pub(super) async fn events_of_one_time_are_in_the_order_of_their_ids(store: &dyn EventStore) {
    const AT: i64 = 1_333_333_333_000_000;
    let ids = [
        1,
        1 << 127,
        u128::MAX,
        (1 << 127) - 1,
        1 << 63,
        (1 << 63) - 1,
        1 << 64,
        256,
        255,
        2,
        u128::MAX - 1,
        10,
    ];
    let batch = ids.map(|id| with_id("law4.ids", AT, id, "test.happened"));
    append(store, &batch).await;
    let query = between(AT, AT + 1, 20).of_subject(subject("law4.ids"));
    let found: Vec<Place> = listed(store, &query).await.iter().map(Place::of).collect();
    expect("ids", places(&batch), found);
    let pages = paged(store, &between(AT, AT + 1, 1).of_subject(subject("law4.ids"))).await;
    expect("ids, one a page", places(&batch), pages);
}

/// Laws 4 and 5, with several events at one time.
pub(super) async fn pages_miss_and_repeat_nothing(store: &dyn EventStore) {
    let times = [3, 3, 3, 3, 3, 2, 2, 1, 0, -1];
    let batch: Vec<Event> = (5_000..).zip(times).map(|(id, micros)| event("law5", micros, id)).collect();
    append(store, &batch).await;
    for limit in [1, 2, 3, 5, 9, 10, 11] {
        let pages = paged(store, &between(-10, 10, limit).of_subject(subject("law5"))).await;
        expect(format!("pages of {limit}"), places(&batch), pages);
    }
}

/// Law 5: what was asked of the first page holds for every other.
pub(super) async fn pages_keep_to_their_question(store: &dyn EventStore) {
    const AT: i64 = 1_222_222_222_000_000;
    let mut batch = Vec::new();
    for n in 0..8 {
        for (id, of, kind) in [
            (5_100, "law5.question", "test.a"),
            (5_101, "law5.question", "test.b"),
            (5_102, "law5.other", "test.a"),
        ] {
            batch.push(with_kind(of, AT + n, id, kind));
        }
    }
    append(store, &batch).await;
    let of = |event: &Event| event.subject().as_str() == "law5.question";
    let a = |event: &Event| event.kind().as_str() == "test.a";
    let within = |event: &Event| (AT + 2..AT + 7).contains(&event.at().as_microsecond());
    let chosen = |is: &dyn Fn(&Event) -> bool| {
        places(&batch.iter().filter(|event| within(event) && is(event)).cloned().collect::<Vec<_>>())
    };
    let beyond = EventCursor { at: at(AT + 100), id: EventId::from_bits(0) };
    let query = between(AT + 2, AT + 7, 4);
    expect("after a place beyond the end", chosen(&|_| true), paged(store, &query.after(beyond)).await);
    for limit in [1, 2, 4] {
        let query = between(AT + 2, AT + 7, limit);
        expect("of a time", chosen(&|_| true), paged(store, &query).await);
        let by_kind = query.clone().of_kind("test.a").expect("the suite's kinds are valid");
        expect("of a kind", chosen(&a), paged(store, &by_kind).await);
        let by_subject = query.of_subject(subject("law5.question"));
        expect("of a subject", chosen(&of), paged(store, &by_subject).await);
        let by_both = by_kind.of_subject(subject("law5.question"));
        expect("of both", chosen(&|event| of(event) && a(event)), paged(store, &by_both).await);
    }
}

/// Law 5, with new events on both sides of the reader.
pub(super) async fn what_is_appended_meanwhile_moves_no_page(store: &dyn EventStore) {
    let times = [3, 3, 3, 3, 2, 2, 1, 0];
    let batch: Vec<Event> =
        (5_200..).zip(times).map(|(id, micros)| event("law5.moves", micros, id)).collect();
    append(store, &batch).await;
    let query = between(-10, 10, 3).of_subject(subject("law5.moves"));
    let first = works("list", store.list(&query).await);
    append(store, &[event("law5.moves", 9, 1), event("law5.moves", 3, 9_999)]).await;
    let next = first.next.expect("there is more");
    expect("a cursor that was text", Ok(next), next.to_string().parse());
    let rest = paged(store, &query.after(next)).await;
    let seen: Vec<Place> = first.events.iter().map(Place::of).chain(rest).collect();
    expect("what was there first", places(&batch), seen);
}
