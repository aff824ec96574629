//! The laws of [`AlertJournal`] as a suite. A broken law panics with what was expected. What no `append` can have left behind, and
//! what a crash or a full journal does, is for each adapter's own tests.
//!
//! ```
//! use ttm_alert::AlertJournal;
//! use ttm_alert::testing::{FakeAlertJournal, journal_conformance};
//!
//! let memory = FakeAlertJournal::new();
//! journal_conformance::check(|| Box::new(memory.clone()) as Box<dyn AlertJournal>);
//! ```

use ttm_kernel::Epoch;

use super::commits::{receipts, row};
use crate::{AlertJournal, Journal, Journalled};

const EPOCH: Epoch = Epoch::new(7);

/// Checks every law that the port alone can show. Each call of `open` opens the same journal again, as the next process
/// would; the ones before were dropped. What is in it when it begins is removed.
pub fn check(open: impl Fn() -> Box<dyn AlertJournal>) {
    let clean = || {
        let journal = open();
        journal.clear().expect("clear works");
        journal
    };
    what_was_never_appended_is_empty(clean().as_ref());
    what_was_appended_is_read_by_the_next_process(clean(), &open);
    every_outcome_takes_the_place_of_its_attempt(clean(), &open);
    what_was_cleared_is_empty_for_the_next_process_too(clean(), &open);
    what_is_set_aside_leaves_nothing(clean(), &open);
}

/// An attempt whose outcome is not known: the first of a message.
fn attempt(step: u32) -> Journalled {
    Journalled { row: row(EPOCH, step), outcome: None }
}

fn append(journal: &dyn AlertJournal, all: &[Journalled]) {
    for sent in all {
        journal.append(sent).expect("append works");
    }
}

#[track_caller]
fn is(journal: &dyn AlertJournal, sent: &[Journalled]) {
    assert_eq!(journal.read().expect("read works"), Journal { sent: sent.to_vec(), torn: 0 });
}

/// Law 3.
pub fn what_was_never_appended_is_empty(journal: &dyn AlertJournal) {
    is(journal, &[]);
}

/// Law 1: in the order of the calls, whatever the keys, and the attempts of one message side by side.
pub fn what_was_appended_is_read_by_the_next_process(
    journal: Box<dyn AlertJournal>,
    open: impl Fn() -> Box<dyn AlertJournal>,
) {
    let mut again = attempt(2);
    again.row.attempts += 1;
    let all = [attempt(3), attempt(2), again, attempt(1)];
    append(journal.as_ref(), &all[..2]);
    is(journal.as_ref(), &all[..2]);
    drop(journal);
    let journal = open();
    is(journal.as_ref(), &all[..2]);
    append(journal.as_ref(), &all[2..]);
    drop(journal);
    is(open().as_ref(), &all);
}

/// Laws 1 and 2: also in the next process, and when others have begun meanwhile.
pub fn every_outcome_takes_the_place_of_its_attempt(
    journal: Box<dyn AlertJournal>,
    open: impl Fn() -> Box<dyn AlertJournal>,
) {
    let outcomes = receipts(EPOCH).into_iter().map(|receipt| receipt.outcome);
    let mut all: Vec<Journalled> = (1..)
        .zip(outcomes)
        .map(|(step, outcome)| Journalled { outcome: Some(outcome), ..attempt(step) })
        .collect();
    let begun: Vec<Journalled> = (1..).take(all.len()).map(attempt).collect();
    append(journal.as_ref(), &begun);
    append(journal.as_ref(), &all[1..]);
    drop(journal);
    let journal = open();
    is(journal.as_ref(), &[&begun[..1], &all[1..]].concat());
    append(journal.as_ref(), &all[..1]);
    is(journal.as_ref(), &all);
    all[1].outcome = None;
    append(journal.as_ref(), &all[1..2]);
    is(journal.as_ref(), &all);
}

/// Law 3.
pub fn what_was_cleared_is_empty_for_the_next_process_too(
    journal: Box<dyn AlertJournal>,
    open: impl Fn() -> Box<dyn AlertJournal>,
) {
    append(journal.as_ref(), &[attempt(1), attempt(2)]);
    for _ in 0..2 {
        journal.clear().expect("clear works, also with nothing to clear");
        is(journal.as_ref(), &[]);
    }
    drop(journal);
    is(open().as_ref(), &[]);
}

/// Law 5.
pub fn what_is_set_aside_leaves_nothing(
    journal: Box<dyn AlertJournal>,
    open: impl Fn() -> Box<dyn AlertJournal>,
) {
    for _ in 0..2 {
        append(journal.as_ref(), &[attempt(1), attempt(2)]);
        journal.set_aside().expect("set_aside works");
        is(journal.as_ref(), &[]);
        journal.set_aside().expect("with nothing to set aside it does nothing");
    }
    drop(journal);
    let journal = open();
    is(journal.as_ref(), &[]);
    append(journal.as_ref(), &[attempt(1)]);
    is(journal.as_ref(), &[attempt(1)]);
}
