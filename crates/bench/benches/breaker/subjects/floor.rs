//! Lower bounds for a simple breaker: the bare call, a word shared by all threads, and two reads of the clock.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Operation;
use ttm_bench::{Subject, now};

/// Only the call: the overhead of the measurement, which is included in all other numbers.
pub(crate) fn bare(operation: impl Operation) -> Subject {
    Subject::each("bare call", move |number| {
        let _ = operation(number);
        true
    })
}

/// A load before the call and an addition after it, on one word shared by all threads.
pub(crate) fn shared_word(operation: impl Operation) -> Subject {
    let word = AtomicU64::new(0);
    Subject::each("shared word", move |number| {
        black_box(word.load(Ordering::Acquire));
        let _ = operation(number);
        black_box(word.fetch_add(1, Ordering::AcqRel));
        true
    })
}

/// A read of the clock before the call and one after it.
pub(crate) fn two_clock_reads(operation: impl Operation) -> Subject {
    Subject::each("two clock reads", move |number| {
        black_box(now());
        let _ = operation(number);
        black_box(now());
        true
    })
}
