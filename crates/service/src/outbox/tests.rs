//! Where entries are after any step of any incarnation of author and writer.

use jiff::Timestamp;
use proptest::prelude::*;
use ttm_market::Mint;
use ttm_market::Token;

use super::*;

const AUTHOR: Author = Author { part: "work", incarnation: Incarnation::FIRST };
const WRITER: Incarnation = Incarnation::FIRST;

fn outbox(capacity: usize) -> Outbox<Fifo<u64>> {
    Outbox::new(Fifo::new(capacity))
}

fn counts(waiting: u64, in_flight: u64, produced: u64, dropped: u64) -> OutboxCounts {
    OutboxCounts { waiting, in_flight, produced, dropped }
}

fn taken<S: Shelf>(outbox: &Outbox<S>, limit: usize) -> Batch<S::Entry> {
    outbox.take(WRITER, limit).expect("something waits")
}

#[test]
fn a_full_outbox_drops_the_oldest_entries_and_counts_them() {
    let outbox = outbox(3);
    outbox.put(AUTHOR, 0..5);
    assert_eq!(outbox.counts(), counts(3, 0, 5, 2));
    assert_eq!(*taken(&outbox, 10).entries, [2, 3, 4]);
}

#[test]
fn a_batch_that_is_given_back_keeps_its_place_except_for_entries_over_capacity() {
    let outbox = outbox(3);
    outbox.put(AUTHOR, 0..3);
    let batch = taken(&outbox, 2);
    outbox.put(AUTHOR, [3]);
    outbox.give_back(&batch);
    assert_eq!(outbox.counts(), counts(3, 0, 4, 1));
    assert_eq!(*taken(&outbox, 10).entries, [1, 2, 3]);
}

#[test]
fn entries_handed_to_the_store_are_in_flight_until_it_answers() {
    let outbox = outbox(10);
    outbox.put(AUTHOR, 0..3);
    let batch = taken(&outbox, 2);
    assert_eq!(outbox.counts(), counts(1, 2, 3, 0));
    outbox.stored(&batch, 1);
    outbox.refused(&batch, 1);
    assert_eq!(outbox.counts(), counts(1, 0, 3, 1));
}

#[test]
fn the_rest_of_a_partly_stored_batch_can_be_given_back() {
    let outbox = outbox(10);
    outbox.put(AUTHOR, 0..4);
    let batch = taken(&outbox, 3);
    outbox.stored(&batch, 2);
    outbox.give_back(&batch);
    assert_eq!(*taken(&outbox, 10).entries, [2, 3]);
}

#[test]
fn a_token_that_is_given_back_does_not_replace_its_newer_state() {
    let outbox = TokenOutbox::new(Newest::default());
    outbox.put(AUTHOR, [Token::new(Mint::USDC, Timestamp::UNIX_EPOCH).into()]);
    let old = taken(&outbox, 10);
    let newer = Token { symbol: Some("USDC".into()), ..(*old.entries[0]).clone() };
    outbox.put(AUTHOR, [newer.clone().into()]);
    outbox.give_back(&old);
    assert_eq!(*taken(&outbox, 10).entries, [Arc::new(newer)]);
}

#[test]
fn a_change_during_a_write_is_written_again() {
    let outbox = Outbox::new(Flag::default());
    outbox.put(AUTHOR, [(), ()]);
    let batch = taken(&outbox, 10);
    assert_eq!(batch.entries.len(), 1, "one write covers both");
    outbox.put(AUTHOR, [()]);
    outbox.stored(&batch, 1);
    assert_eq!(taken(&outbox, 10).entries.len(), 1);
}

#[test]
fn entries_of_a_replaced_author_are_refused() {
    let outbox = outbox(10);
    let next = Author { incarnation: WRITER.next(), ..AUTHOR };
    outbox.put(AUTHOR, [1]);
    outbox.admit(next);
    outbox.put(AUTHOR, [2]);
    outbox.put(next, [3]);
    outbox.put(Author::RESIDENT, [4]);
    outbox.admit(AUTHOR);
    outbox.put(AUTHOR, [5]);
    assert_eq!(*taken(&outbox, 10).entries, [1, 3, 4]);
    assert_eq!(outbox.counts().produced, 3);
}

#[test]
fn a_closed_outbox_still_drains_and_refuses_new_entries() {
    let outbox = outbox(10);
    outbox.put(AUTHOR, [1, 2]);
    let batch = taken(&outbox, 1);
    outbox.close();
    outbox.put(AUTHOR, [3]);
    outbox.give_back(&batch);
    assert_eq!(*taken(&outbox, 10).entries, [1, 2]);
    assert_eq!(outbox.counts().produced, 2);
}

#[test]
fn a_batch_outlives_the_writer_that_took_it_whose_late_results_are_ignored() {
    let outbox = outbox(10);
    outbox.put(AUTHOR, 0..3);
    let lost = taken(&outbox, 2);
    let next = WRITER.next();
    outbox.open(next);
    assert_eq!(outbox.counts(), counts(3, 0, 3, 0));
    assert!(outbox.take(WRITER, 10).is_none(), "the older writer gets nothing");
    let batch = outbox.take(next, 10).expect("all of it");
    outbox.stored(&lost, 2);
    outbox.refused(&lost, 1);
    outbox.give_back(&lost);
    outbox.open(WRITER);
    assert_eq!(outbox.counts(), counts(0, 3, 3, 0));
    outbox.stored(&batch, 3);
    assert_eq!(outbox.counts(), counts(0, 0, 3, 0));
}

/// A step of a writer or an author; the numbers are the incarnation or batch, and how many entries.
#[derive(Clone, Debug)]
enum Step {
    Put(u32, u64),
    Admit(u32),
    Open(u32),
    Take(u32, usize),
    Stored(usize, usize),
    Refused(usize, usize),
    GiveBack(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let incarnation = 0..4_u32;
    prop_oneof![
        (incarnation.clone(), 0..6_u64).prop_map(|(author, entries)| Step::Put(author, entries)),
        incarnation.clone().prop_map(Step::Admit),
        incarnation.clone().prop_map(Step::Open),
        (incarnation, 0..6_usize).prop_map(|(writer, limit)| Step::Take(writer, limit)),
        (0..4_usize, 0..6_usize).prop_map(|(batch, entries)| Step::Stored(batch, entries)),
        (0..4_usize, 0..6_usize).prop_map(|(batch, entries)| Step::Refused(batch, entries)),
        (0..4_usize).prop_map(Step::GiveBack),
    ]
}

proptest! {
    /// Nothing is lost and nothing is taken twice, whichever author or writer is replaced at whatever step.
    #[test]
    fn every_entry_is_in_exactly_one_place_whatever_older_incarnations_do(steps in prop::collection::vec(step(), 0..80)) {
        let outbox = outbox(8);
        let (mut batches, mut produced, mut stored, mut newest, mut writer) = (Vec::new(), 0, 0_u64, 0, 0);
        let at = |number| Author { part: "work", incarnation: Incarnation::new(number) };
        for step in steps {
            let before = outbox.counts();
            match step {
                Step::Put(author, entries) => {
                    outbox.put(at(author), produced..produced + entries);
                    if author >= newest {
                        produced += entries;
                    }
                }
                Step::Admit(author) => {
                    outbox.admit(at(author));
                    newest = newest.max(author);
                }
                Step::Open(incarnation) => {
                    outbox.open(Incarnation::new(incarnation));
                    writer = writer.max(incarnation);
                }
                Step::Take(incarnation, limit) => {
                    let batch = outbox.take(Incarnation::new(incarnation), limit);
                    prop_assert!(batch.is_none() || incarnation == writer);
                    batches.extend(batch);
                }
                Step::Stored(batch, entries) => {
                    if let Some(batch) = batches.iter().rev().nth(batch) {
                        outbox.stored(batch, entries);
                        stored += before.in_flight - outbox.counts().in_flight;
                    }
                }
                Step::Refused(batch, entries) => {
                    if let Some(batch) = batches.iter().rev().nth(batch) {
                        outbox.refused(batch, entries);
                    }
                }
                Step::GiveBack(batch) => {
                    if let Some(batch) = batches.iter().rev().nth(batch) {
                        outbox.give_back(batch);
                    }
                }
            }
            let now = outbox.counts();
            prop_assert_eq!(now.produced, produced);
            prop_assert_eq!(now.produced, stored + now.in_flight + now.waiting + now.dropped);
            prop_assert!(now.waiting <= 8);
        }
        // The remaining entries are taken once, in the order in which they were put.
        outbox.open(Incarnation::new(9));
        let left = outbox.counts().waiting;
        let rest: Vec<u64> = outbox.take(Incarnation::new(9), 100).map_or_else(Vec::new, |batch| batch.entries.to_vec());
        prop_assert_eq!(rest.len() as u64, left);
        prop_assert!(rest.is_sorted_by(|a, b| a < b), "{:?}", rest);
    }
}
