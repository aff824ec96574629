//! Strategies: entries that a ledger keeps, with texts up to their bounds and times to the microsecond.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use ttm_kernel::{Epoch, FailureClass};

use crate::{By, Entry, EntryKey, Fact, Outcome, Step};

/// A whole number of microseconds, up to what every store can hold.
const MAX_PERIOD: u64 = u64::MAX / 1_000;
/// The years 1970 to 2100, in microseconds.
const TIMES: std::ops::Range<i64> = 0..4_102_444_800_000_000;

/// Any text without NUL of at most so many bytes.
fn any_text(most: usize) -> impl Strategy<Value = String> {
    let short = "[^\0]{0,24}";
    let long = (0..=most, select(vec!["x", "é", "\n", "\u{1f4a5}"]))
        .prop_map(|(length, unit)| unit.repeat(length / unit.len()));
    prop_oneof![4 => short, 1 => long]
}

/// Any fact.
pub fn any_fact() -> impl Strategy<Value = Fact> {
    let cause = || any_text(Entry::MAX_CAUSE);
    let evidence = proptest::option::of(any_text(Entry::MAX_EVIDENCE));
    let began = (cause(), select(&FailureClass::ALL[..]), select(&By::ALL[..]), evidence)
        .prop_map(|(cause, class, by, evidence)| Fact::Began { cause, class, by, evidence });
    prop_oneof![
        1 => Just(Fact::Booted),
        1 => Just(Fact::Closed),
        1 => Just(Fact::Spent),
        4 => began,
        4 => (select(&Step::ALL[..]), any::<bool>()).prop_map(|(step, charged)| Fact::Step { step, charged }),
        2 => (cause(), cause()).prop_map(|(cause, dependency)| Fact::Withheld { cause, dependency }),
        3 => (select(&Outcome::ALL[..]), prop_oneof![0..1_000_000_000_u64, 0..=MAX_PERIOD])
            .prop_map(|(outcome, took)| Fact::Ended { outcome, took: Duration::from_micros(took) }),
    ]
}

/// Any entry of one of the first few epochs, with a small number: keys often repeat.
pub fn any_entry() -> impl Strategy<Value = Entry> {
    let key = || (1_u64..4, 0_u64..40);
    (key(), key(), TIMES, "[ -~]{1,64}", any_fact()).prop_map(|(one, other, micros, subject, fact)| {
        let key = |(epoch, number)| EntryKey { epoch: Epoch::new(epoch), number };
        let (key, recovery) = (key(one.max(other)), key(one.min(other)));
        let at = Timestamp::from_microsecond(micros).expect("the times are in range");
        Entry { key, recovery, at, subject, fact }
    })
}
