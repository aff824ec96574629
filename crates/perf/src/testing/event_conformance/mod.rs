//! The laws of [`EventStore`] as a suite. It does not know what stands behind the port. Each law uses subjects and times of its
//! own, so that all of them can share one store. All laws are checked before those that do not hold are reported.
//!
//! ```
//! use ttm_perf::EventStore;
//! use ttm_perf::testing::{FakeEventStore, event_conformance};
//!
//! # async fn suite() {
//! let memory = FakeEventStore::new();
//! event_conformance::check(async || Box::new(memory.clone()) as Box<dyn EventStore>).await;
//! # }
//! ```

mod batches;
mod beside;
mod fixture;
mod pages;
mod questions;

use ttm_kernel::check_laws;
use ttm_kernel::testing::Laws;

use crate::EventStore;

use batches::{
    a_batch_is_stored_whole_or_refused_whole, a_large_batch_is_stored_whole,
    an_acknowledged_batch_survives_reopening_as_it_was, an_empty_batch_is_stored_at_once,
    duplicates_are_known_after_reopening, every_event_of_a_batch_is_either_stored_or_a_duplicate,
    the_first_event_of_an_identity_wins, the_longest_names_are_told_apart,
};
use beside::{
    a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all,
    a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all, writers_of_the_same_events_store_each_once,
};
use pages::{
    events_of_one_time_are_in_the_order_of_their_ids, pages_keep_to_their_question,
    pages_miss_and_repeat_nothing, what_is_appended_meanwhile_moves_no_page,
};
use questions::{
    a_question_holds_its_begin_and_not_its_end, a_question_without_a_subject_finds_those_of_all,
    any_record_gives_the_pages_of_the_fake, events_are_chosen_by_the_beginning_of_their_kind,
    events_are_chosen_by_their_whole_subject,
};

/// Checks every law, and panics with those that do not hold. Each call of `open` opens the same store again, as a restarted
/// process would, without removing what is in it; the store before was dropped.
pub async fn check(open: impl AsyncFn() -> Box<dyn EventStore>) {
    judge(open).await.assert_hold();
}

/// Checks every law, and says which do not hold. What a crash does to the store needs a process to kill, and is tested where there
/// is one.
pub async fn judge(open: impl AsyncFn() -> Box<dyn EventStore>) -> Laws {
    let mut laws = Laws::of("EventStore");
    check_laws!(laws:
        an_acknowledged_batch_survives_reopening_as_it_was(&open),
        duplicates_are_known_after_reopening(&open),
    );
    let store = open().await;
    let store = store.as_ref();
    check_laws!(laws:
        every_event_of_a_batch_is_either_stored_or_a_duplicate(store),
        the_first_event_of_an_identity_wins(store),
        an_empty_batch_is_stored_at_once(store),
        a_large_batch_is_stored_whole(store),
        the_longest_names_are_told_apart(store),
        a_batch_is_stored_whole_or_refused_whole(store),
        a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all(store),
        a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all(store),
        writers_of_the_same_events_store_each_once(store),
        a_question_holds_its_begin_and_not_its_end(store),
        events_are_chosen_by_the_beginning_of_their_kind(store),
        events_are_chosen_by_their_whole_subject(store),
        a_question_without_a_subject_finds_those_of_all(store),
        any_record_gives_the_pages_of_the_fake(store),
        events_of_one_time_are_in_the_order_of_their_ids(store),
        pages_miss_and_repeat_nothing(store),
        pages_keep_to_their_question(store),
        what_is_appended_meanwhile_moves_no_page(store),
    );
    laws
}
