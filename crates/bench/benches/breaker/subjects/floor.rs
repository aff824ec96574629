//! What no breaker of the plain kind gets below: the call alone, a word that all threads share, and the machine's clock.
//! They decide nothing.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Operation;
use ttm_bench::{Subject, now};

/// The call and nothing else: what the measuring itself costs, which is in every other number too.
pub(crate) fn bare(operation: impl Operation) -> Subject {
    Subject::each("bare call", move |number| {
        let _ = operation(number);
        true
    })
}

/// One load before the call and one addition after it, on one word that all threads share.
pub(crate) fn shared_word(operation: impl Operation) -> Subject {
    let word = AtomicU64::new(0);
    Subject::each("shared word", move |number| {
        black_box(word.load(Ordering::Acquire));
        let _ = operation(number);
        black_box(word.fetch_add(1, Ordering::AcqRel));
        true
    })
}

/// One reading of the clock before the call, and one after it.
pub(crate) fn two_clock_reads(operation: impl Operation) -> Subject {
    Subject::each("two clock reads", move |number| {
        black_box(now());
        let _ = operation(number);
        black_box(now());
        true
    })
}
