//! The laws of [`LastWords`] as a suite. A broken law panics with what was expected. What no `write` can have left behind is
//! for each adapter's own tests, and so is what a power failure does.
//!
//! ```
//! use ttm_recovery::LastWords;
//! use ttm_recovery::testing::{FakeLastWords, last_words_conformance};
//!
//! let memory = FakeLastWords::new();
//! last_words_conformance::check(|| Box::new(memory.clone()) as Box<dyn LastWords>);
//! ```

use std::io;

use ttm_kernel::Epoch;

use super::entries::{began, every_fact, out_of_bounds};
use crate::{Entry, EntryKey, LastWords};

/// Checks every law that the port alone can show. Each call of `open` opens the same words again, as the next process
/// would; the ones before were dropped. What is kept when it begins is removed.
pub fn check(open: impl Fn() -> Box<dyn LastWords>) {
    let clean = || {
        let words = open();
        words.clear().expect("clear works");
        words
    };
    what_was_never_written_is_empty(clean().as_ref());
    what_was_written_is_read_by_the_next_process(clean(), &open);
    every_fact_comes_back_exactly(clean().as_ref());
    what_was_cleared_is_empty_for_the_next_process_too(clean(), &open);
    a_write_that_fails_leaves_what_was_there(clean().as_ref());
    what_is_set_aside_leaves_nothing(clean(), &open);
}

fn entries(count: u64) -> Vec<Entry> {
    (0..count).map(|number| began(Epoch::new(7), number)).collect()
}

/// Law 2.
pub fn what_was_never_written_is_empty(words: &dyn LastWords) {
    assert_eq!(words.read().expect("read works"), []);
    words.write(&[]).expect("an empty write works");
    assert_eq!(words.read().expect("read works"), []);
}

/// Law 1: in the order of the writes, whatever the keys.
pub fn what_was_written_is_read_by_the_next_process(
    words: Box<dyn LastWords>,
    open: impl Fn() -> Box<dyn LastWords>,
) {
    let all = entries(3);
    words.write(&all[1..]).expect("write works");
    assert_eq!(words.read().expect("read works"), all[1..]);
    drop(words);
    let words = open();
    assert_eq!(words.read().expect("read works"), all[1..]);
    words.write(&all[..1]).expect("write works");
    drop(words);
    let order = [all[1].clone(), all[2].clone(), all[0].clone()];
    assert_eq!(open().read().expect("read works"), order);
}

/// Law 1: to the nanosecond.
pub fn every_fact_comes_back_exactly(words: &dyn LastWords) {
    let at = jiff::Timestamp::from_nanosecond(1_700_000_000_123_456_789).expect("in range");
    for (number, fact) in (0..).zip(every_fact()) {
        let key = EntryKey { epoch: Epoch::new(u64::MAX), number };
        let recovery = EntryKey { epoch: Epoch::new(3), number: u64::MAX };
        let entry = Entry { key, recovery, at, subject: " ~\"\\".to_owned(), fact };
        words.write(std::slice::from_ref(&entry)).expect("write works");
        assert_eq!(words.read().expect("read works"), [entry]);
        words.clear().expect("clear works");
    }
}

/// Law 2.
pub fn what_was_cleared_is_empty_for_the_next_process_too(
    words: Box<dyn LastWords>,
    open: impl Fn() -> Box<dyn LastWords>,
) {
    words.write(&entries(2)).expect("write works");
    for _ in 0..2 {
        words.clear().expect("clear works, also with nothing to clear");
        assert_eq!(words.read().expect("read works"), []);
    }
    drop(words);
    assert_eq!(open().read().expect("read works"), []);
}

/// Law 4.
pub fn a_write_that_fails_leaves_what_was_there(words: &dyn LastWords) {
    let kept = entries(1);
    words.write(&kept).expect("write works");
    for bad in out_of_bounds(Epoch::new(7), 5) {
        let refused = words.write(&[began(Epoch::new(7), 4), bad.clone()]);
        let kind = refused.as_ref().map_err(io::Error::kind);
        assert_eq!(kind, Err(io::ErrorKind::InvalidInput), "{bad:?}: {refused:?}");
        assert_eq!(words.read().expect("read works"), kept);
    }
}

/// Law 3.
pub fn what_is_set_aside_leaves_nothing(words: Box<dyn LastWords>, open: impl Fn() -> Box<dyn LastWords>) {
    for _ in 0..2 {
        words.write(&entries(2)).expect("write works");
        words.set_aside().expect("set_aside works");
        assert_eq!(words.read().expect("read works"), []);
        words.set_aside().expect("with nothing to set aside it does nothing");
    }
    drop(words);
    let words = open();
    assert_eq!(words.read().expect("read works"), []);
    words.write(&entries(1)).expect("it can be used again");
    assert_eq!(words.read().expect("read works"), entries(1));
}
