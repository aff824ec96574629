//! The laws of [`MetricStore`] as a suite. It does not know what stands behind the port. Each law uses series of its own, so that
//! all of them can share one store, whatever else is in it. All laws are checked before those that do not hold are reported.
//!
//! ```
//! use ttm_perf::MetricStore;
//! use ttm_perf::testing::{FakeMetricStore, conformance};
//!
//! # async fn suite() {
//! let memory = FakeMetricStore::new();
//! conformance::check(async || Box::new(memory.clone()) as Box<dyn MetricStore>).await;
//! # }
//! ```

mod batches;
mod beside;
mod fixture;
mod listing;
mod ranges;

use ttm_kernel::check_laws;
use ttm_kernel::testing::Laws;

use crate::MetricStore;

use batches::{
    a_batch_is_stored_whole_or_refused_whole, a_large_batch_is_stored_whole,
    a_series_of_thousands_of_samples_is_returned_whole, an_acknowledged_batch_survives_reopening,
    an_empty_batch_is_stored_at_once, duplicates_are_known_after_reopening,
    every_sample_of_a_batch_is_either_stored_or_a_duplicate, the_first_value_of_a_time_wins,
    the_longest_keys_are_told_apart, the_values_of_one_score_are_samples_of_their_own,
    what_is_acknowledged_after_closing_is_stored, what_was_acknowledged_survives_closing,
};
use beside::{
    a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all,
    a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all, writers_of_the_same_samples_store_each_once,
};
use listing::{
    a_prefix_is_no_pattern, keys_are_listed_in_the_order_of_their_bytes, keys_are_listed_page_by_page,
    keys_are_listed_to_the_limit,
};
use ranges::{
    a_range_holds_its_begin_and_not_its_end, a_range_is_of_its_series_alone,
    an_unknown_series_has_no_points_and_stays_unknown, any_history_gives_the_points_of_the_fake,
    buckets_start_at_multiples_of_the_step, times_are_kept_to_the_microsecond, values_are_kept_to_the_bit,
};

/// Checks every law, and panics with those that do not hold. Each call of `open` opens the same store again, as a restarted
/// process would, without removing what is in it; the store before was dropped.
pub async fn check(open: impl AsyncFn() -> Box<dyn MetricStore>) {
    judge(open).await.assert_hold();
}

/// Checks every law, and says which do not hold. What a crash does to the store needs a process to kill, and is tested where there
/// is one.
pub async fn judge(open: impl AsyncFn() -> Box<dyn MetricStore>) -> Laws {
    let mut laws = Laws::of("MetricStore");
    check_laws!(laws:
        an_acknowledged_batch_survives_reopening(&open),
        duplicates_are_known_after_reopening(&open),
        what_was_acknowledged_survives_closing(&open),
        what_is_acknowledged_after_closing_is_stored(&open),
    );
    let store = open().await;
    let store = store.as_ref();
    check_laws!(laws:
        every_sample_of_a_batch_is_either_stored_or_a_duplicate(store),
        the_first_value_of_a_time_wins(store),
        the_values_of_one_score_are_samples_of_their_own(store),
        an_empty_batch_is_stored_at_once(store),
        a_large_batch_is_stored_whole(store),
        a_series_of_thousands_of_samples_is_returned_whole(store),
        the_longest_keys_are_told_apart(store),
        a_batch_is_stored_whole_or_refused_whole(store),
        a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all(store),
        a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all(store),
        writers_of_the_same_samples_store_each_once(store),
        a_range_holds_its_begin_and_not_its_end(store),
        a_range_is_of_its_series_alone(store),
        buckets_start_at_multiples_of_the_step(store),
        an_unknown_series_has_no_points_and_stays_unknown(store),
        times_are_kept_to_the_microsecond(store),
        values_are_kept_to_the_bit(store),
        any_history_gives_the_points_of_the_fake(store),
        keys_are_listed_in_the_order_of_their_bytes(store),
        keys_are_listed_to_the_limit(store),
        keys_are_listed_page_by_page(store),
        a_prefix_is_no_pattern(store),
    );
    laws
}
