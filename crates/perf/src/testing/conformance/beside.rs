//! The laws when more than one thing happens at a time: calls that are given up, readers beside writers, writers beside one
//! another. A suite that knows no runtime polls both sides itself; a store that answers without waiting passes by that.

use std::cell::Cell;

use ttm_kernel::testing::{cancelled_after, expect, side_by_side, works, yield_now};

use super::fixture::{SECOND, append, count, each_second, key, sample};
use crate::{MetricStore, Sample, SeriesKey};

/// A batch of two series, whose samples take turns: so many of each.
fn two(name: &str, each: u64) -> ([SeriesKey; 2], Vec<Sample>) {
    let keys = ["a", "b"].map(|label| key(&format!("{name}{{l={label}}}")));
    let batch = (0..each).zip((0..).step_by(1_000_000));
    let batch = batch.flat_map(|(_, micros)| keys.iter().map(move |key| sample(key, micros, 1.0)));
    let batch = batch.collect();
    (keys, batch)
}

/// Law 2, however far the call came; and what is left behind is in nobody's way.
pub(super) async fn a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all(store: &dyn MetricStore) {
    for polls in 0.. {
        if is_acknowledged_when_dropped_after(store, polls, 150).await {
            break;
        }
    }
    // More than goes into one statement, dropped here and there.
    for doubled in 0.. {
        if is_acknowledged_when_dropped_after(store, 1 << doubled, 2_500).await {
            break;
        }
    }
}

async fn is_acknowledged_when_dropped_after(store: &dyn MetricStore, polls: usize, each: u64) -> bool {
    let (keys, batch) = two(&format!("law2.dropped.{each}.{polls}"), each);
    let outcome = cancelled_after(polls, store.append(&batch)).await;
    // Waits for any lock that is left behind on the series of both.
    let left = append(store, &batch[..2]).await;
    let kept = if left.0 == 0 { each } else { 1 };
    for key in &keys {
        expect(format!("samples of {key}, dropped after {polls} polls"), kept, count(store, key).await);
    }
    let rest = append(store, &batch).await;
    expect("stored and duplicates, sent again", (2 * (each - kept), 2 * kept), rest);
    outcome.map(|outcome| works("append", outcome)).is_some()
}

/// Law 2: what a reader saw of one series, a later one sees of the other.
pub(super) async fn a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all(store: &dyn MetricStore) {
    const EACH: u64 = 2_500;
    for (name, order) in [("law2.forth", [0, 1]), ("law2.back", [1, 0])] {
        let (keys, batch) = two(name, EACH);
        let is_done = Cell::new(false);
        let write = async {
            let counts = append(store, &batch).await;
            is_done.set(true);
            counts
        };
        let read = async {
            loop {
                let was_done = is_done.get();
                let first = count(store, &keys[order[0]]).await;
                let second = count(store, &keys[order[1]]).await;
                let seen = format!("{first} samples of one series, then {second} of the other");
                let is_whole = |count: u64| count == 0 || count == EACH;
                assert!(
                    is_whole(first) && is_whole(second) && first <= second,
                    "expected all or nothing, got {seen}"
                );
                assert!(!was_done || first == EACH, "expected what was acknowledged, got {seen}");
                if was_done {
                    return;
                }
                yield_now().await;
            }
        };
        let (counts, ()) = side_by_side(write, read).await;
        expect("stored and duplicates", (2 * EACH, 0), counts);
    }
}

/// Law 3: of series that both are the first to name, in one order and in the other.
pub(super) async fn writers_of_the_same_samples_store_each_once(store: &dyn MetricStore) {
    const EACH: u64 = 300;
    for round in 0..4 {
        let (keys, forth) = two(&format!("law3.race.{round}"), EACH);
        let back: Vec<Sample> = forth.iter().rev().cloned().collect();
        let (one, other) = side_by_side(append(store, &forth), append(store, &back)).await;
        expect("each sample is stored by one of the two", 2 * EACH, one.0 + other.0);
        expect("and a duplicate of the other", 2 * EACH, one.1 + other.1);
        for key in &keys {
            expect(format!("samples of {key}"), EACH, count(store, key).await);
        }
        let mine = each_second(&key(&format!("law3.race.{round}.mine")), 10);
        let theirs: Vec<Sample> = (0..10)
            .map(|second| sample(&key(&format!("law3.race.{round}.theirs")), second * SECOND, 1.0))
            .collect();
        let both = side_by_side(append(store, &mine), append(store, &theirs)).await;
        expect("writers of other samples", ((10, 0), (10, 0)), both);
    }
}
