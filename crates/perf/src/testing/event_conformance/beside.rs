//! The laws when more than one thing happens at a time: calls that are given up, readers beside writers, writers beside one
//! another. A suite that knows no runtime polls both sides itself; a store that answers without waiting passes by that.

use std::cell::Cell;

use ttm_kernel::testing::{cancelled_after, expect, side_by_side, works, yield_now};

use super::fixture::{all, append, events, listed, paged};
use crate::{Event, EventStore};

/// No more than a page holds, since a reader that asks twice sees two states.
const EACH: u16 = 600;

/// Law 2, however far the call came; and what is left behind is in nobody's way.
pub(super) async fn a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all(store: &dyn EventStore) {
    for polls in 0.. {
        if is_acknowledged_when_dropped_after(store, polls, 100).await {
            break;
        }
    }
    // More than goes into one statement, dropped here and there.
    for doubled in 0.. {
        if is_acknowledged_when_dropped_after(store, 1 << doubled, 1_200).await {
            break;
        }
    }
}

async fn is_acknowledged_when_dropped_after(store: &dyn EventStore, polls: usize, count: u16) -> bool {
    let subject = format!("law2.dropped.{count}.{polls}");
    let batch = events(&subject, count);
    let outcome = cancelled_after(polls, store.append(&batch)).await;
    // Waits for any lock that is left behind on the event of both.
    let left = append(store, &batch[..1]).await;
    let kept = if left.0 == 0 { count } else { 1 };
    let found = paged(store, &all(&subject)).await.len();
    expect(format!("events, dropped after {polls} polls"), usize::from(kept), found);
    let counts = (u64::from(count - kept), u64::from(kept));
    expect("stored and duplicates, sent again", counts, append(store, &batch).await);
    outcome.map(|outcome| works("append", outcome)).is_some()
}

/// Law 2.
pub(super) async fn a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all(store: &dyn EventStore) {
    let batch = events("law2.beside", EACH);
    let is_done = Cell::new(false);
    let write = async {
        let counts = append(store, &batch).await;
        is_done.set(true);
        counts
    };
    let read = async {
        loop {
            let was_done = is_done.get();
            let count = listed(store, &all("law2.beside")).await.len();
            let is_whole = count == usize::from(EACH);
            assert!(count == 0 || is_whole, "a reader: expected all events or none, got {count} of {EACH}");
            assert!(is_whole || !was_done, "a reader: expected what was acknowledged, got nothing");
            if was_done {
                return;
            }
            yield_now().await;
        }
    };
    let (counts, ()) = side_by_side(write, read).await;
    expect("stored and duplicates", (EACH.into(), 0), counts);
}

/// Law 3, in one order and in the other.
pub(super) async fn writers_of_the_same_events_store_each_once(store: &dyn EventStore) {
    for round in 0..4 {
        let subject = format!("law3.race.{round}");
        let forth = events(&subject, EACH);
        let back: Vec<Event> = forth.iter().rev().cloned().collect();
        let (one, other) = side_by_side(append(store, &forth), append(store, &back)).await;
        expect("each event is stored by one of the two", u64::from(EACH), one.0 + other.0);
        expect("and a duplicate of the other", u64::from(EACH), one.1 + other.1);
        expect("events", usize::from(EACH), listed(store, &all(&subject)).await.len());
        let [mine, theirs] = ["mine", "theirs"].map(|whose| events(&format!("{subject}.{whose}"), 10));
        let fresh = ((10, 0), (10, 0));
        let both = side_by_side(append(store, &mine), append(store, &theirs)).await;
        expect("writers of other events", fresh, both);
    }
}
