//! The suite of the history finds stores that break its laws: each of these is the fake with one fault, and the laws that notice it
//! are exactly those named beside it.

mod broken;

use std::sync::Arc;

use broken::block_on;
use broken::metrics::{Broken, Bug, Disk};
use ttm_kernel::testing::{Laws, assert_noticed};
use ttm_perf::MetricStore;
use ttm_perf::testing::conformance;

const FAULTS: &[(Bug, &[&str])] = &[
    (
        Bug::ForgetsOnReopening,
        &[
            "an_acknowledged_batch_survives_reopening",
            "duplicates_are_known_after_reopening",
            "what_was_acknowledged_survives_closing",
            "what_is_acknowledged_after_closing_is_stored",
        ],
    ),
    (
        Bug::ForgetsOnReopeningUnlessClosed,
        &["an_acknowledged_batch_survives_reopening", "duplicates_are_known_after_reopening"],
    ),
    (Bug::ForgetsDuplicatesOnReopening, &["duplicates_are_known_after_reopening"]),
    (Bug::TakesTheLastValueAfterReopening, &["duplicates_are_known_after_reopening"]),
    (Bug::LosesOnClosing, &["what_was_acknowledged_survives_closing"]),
    (Bug::AcknowledgesAfterClosing, &["what_is_acknowledged_after_closing_is_stored"]),
    (Bug::StoresWhatItRefusesAfterClosing, &["what_is_acknowledged_after_closing_is_stored"]),
    (
        Bug::CountsDuplicatesAsStored,
        &[
            "duplicates_are_known_after_reopening",
            "every_sample_of_a_batch_is_either_stored_or_a_duplicate",
            "the_first_value_of_a_time_wins",
            "the_values_of_one_score_are_samples_of_their_own",
            "a_series_of_thousands_of_samples_is_returned_whole",
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "writers_of_the_same_samples_store_each_once",
        ],
    ),
    (
        Bug::CountsNoDuplicates,
        &[
            "duplicates_are_known_after_reopening",
            "every_sample_of_a_batch_is_either_stored_or_a_duplicate",
            "the_first_value_of_a_time_wins",
            "the_values_of_one_score_are_samples_of_their_own",
            "a_series_of_thousands_of_samples_is_returned_whole",
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "writers_of_the_same_samples_store_each_once",
        ],
    ),
    (Bug::TakesTheLastValue, &["duplicates_are_known_after_reopening", "the_first_value_of_a_time_wins"]),
    (Bug::TakesTheLastValueOfABatch, &["the_first_value_of_a_time_wins"]),
    (Bug::TakesAScoreForOneSample, &["the_values_of_one_score_are_samples_of_their_own"]),
    (
        Bug::RefusesEmptyBatches,
        &["an_empty_batch_is_stored_at_once", "any_history_gives_the_points_of_the_fake"],
    ),
    (Bug::CutsKeysAt255Bytes, &["the_longest_keys_are_told_apart"]),
    (
        Bug::FoldsCase,
        &[
            "a_range_is_of_its_series_alone",
            "keys_are_listed_in_the_order_of_their_bytes",
            "keys_are_listed_to_the_limit",
            "keys_are_listed_page_by_page",
            "a_prefix_is_no_pattern",
        ],
    ),
    (Bug::StoresTheBeginOfALargeBatch, &["a_large_batch_is_stored_whole"]),
    (Bug::KeepsAThousandOfASeries, &["a_series_of_thousands_of_samples_is_returned_whole"]),
    (Bug::StoresPartOfARefusedBatch, &["a_batch_is_stored_whole_or_refused_whole"]),
    (Bug::RefusesASeriesAfterARefusal, &["a_batch_is_stored_whole_or_refused_whole"]),
    (Bug::StoresHalfOfADroppedBatch, &["a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all"]),
    (
        Bug::StoresOneSeriesOfADroppedBatch,
        &["a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all"],
    ),
    (Bug::StoresChunksOfADroppedBatch, &["a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all"]),
    (
        Bug::LeavesALockWhenDropped,
        &[
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all",
            "writers_of_the_same_samples_store_each_once",
            "a_range_holds_its_begin_and_not_its_end",
            "a_range_is_of_its_series_alone",
            "buckets_start_at_multiples_of_the_step",
            "times_are_kept_to_the_microsecond",
            "values_are_kept_to_the_bit",
            "any_history_gives_the_points_of_the_fake",
            "keys_are_listed_in_the_order_of_their_bytes",
            "keys_are_listed_to_the_limit",
            "keys_are_listed_page_by_page",
            "a_prefix_is_no_pattern",
        ],
    ),
    (Bug::ShowsABatchInParts, &["a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all"]),
    (Bug::ShowsABatchSeriesBySeries, &["a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all"]),
    (Bug::ShowsABatchBackwards, &["a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all"]),
    (Bug::RemembersThatThereWasNothing, &["a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all"]),
    (
        Bug::CountsBeforeItInserts,
        &["the_first_value_of_a_time_wins", "writers_of_the_same_samples_store_each_once"],
    ),
    (Bug::FailsOnARace, &["the_first_value_of_a_time_wins", "writers_of_the_same_samples_store_each_once"]),
    (Bug::LosesARace, &["the_first_value_of_a_time_wins", "writers_of_the_same_samples_store_each_once"]),
    (Bug::TakesOneWriterAtATime, &["writers_of_the_same_samples_store_each_once"]),
    (Bug::AnswersForLongerNames, &["a_range_is_of_its_series_alone"]),
    (Bug::TakesUnderscoresForAnything, &["a_range_is_of_its_series_alone"]),
    (Bug::AnswersForWhatEndsSo, &["a_range_is_of_its_series_alone"]),
    (
        Bug::ReadsAThousandRows,
        &[
            "a_series_of_thousands_of_samples_is_returned_whole",
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all",
        ],
    ),
    (
        Bug::LeavesOutTheBegin,
        &[
            "duplicates_are_known_after_reopening",
            "what_was_acknowledged_survives_closing",
            "what_is_acknowledged_after_closing_is_stored",
            "every_sample_of_a_batch_is_either_stored_or_a_duplicate",
            "the_first_value_of_a_time_wins",
            "a_large_batch_is_stored_whole",
            "a_series_of_thousands_of_samples_is_returned_whole",
            "the_longest_keys_are_told_apart",
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all",
            "writers_of_the_same_samples_store_each_once",
            "a_range_holds_its_begin_and_not_its_end",
            "a_range_is_of_its_series_alone",
            "times_are_kept_to_the_microsecond",
            "values_are_kept_to_the_bit",
        ],
    ),
    (Bug::HoldsTheEnd, &["a_range_holds_its_begin_and_not_its_end", "times_are_kept_to_the_microsecond"]),
    (Bug::CutsTheEnd, &["a_range_holds_its_begin_and_not_its_end"]),
    (Bug::CutsTheBegin, &["a_range_holds_its_begin_and_not_its_end"]),
    (Bug::RoundsANegativeBeginUp, &["a_range_holds_its_begin_and_not_its_end"]),
    (
        Bug::BeginsBucketsWithTheQuestion,
        &["buckets_start_at_multiples_of_the_step", "times_are_kept_to_the_microsecond"],
    ),
    (
        Bug::CutsBucketsTowardsZero,
        &[
            "buckets_start_at_multiples_of_the_step",
            "times_are_kept_to_the_microsecond",
            "any_history_gives_the_points_of_the_fake",
        ],
    ),
    (Bug::FillsGaps, &["buckets_start_at_multiples_of_the_step", "any_history_gives_the_points_of_the_fake"]),
    (
        Bug::AnswersBackwards,
        &[
            "duplicates_are_known_after_reopening",
            "buckets_start_at_multiples_of_the_step",
            "values_are_kept_to_the_bit",
            "any_history_gives_the_points_of_the_fake",
        ],
    ),
    (Bug::FailsForAnUnknownSeries, &["an_unknown_series_has_no_points_and_stays_unknown"]),
    (
        Bug::RemembersWhatIsAskedFor,
        &["an_unknown_series_has_no_points_and_stays_unknown", "keys_are_listed_in_the_order_of_their_bytes"],
    ),
    (Bug::InterpolatesPercentiles, &["any_history_gives_the_points_of_the_fake"]),
    (
        Bug::CutsTimesToMilliseconds,
        &[
            "a_range_holds_its_begin_and_not_its_end",
            "buckets_start_at_multiples_of_the_step",
            "times_are_kept_to_the_microsecond",
        ],
    ),
    (Bug::RoundsValues, &["values_are_kept_to_the_bit", "any_history_gives_the_points_of_the_fake"]),
    (Bug::LosesTheSignOfZero, &["values_are_kept_to_the_bit", "any_history_gives_the_points_of_the_fake"]),
    (Bug::FlushesSubnormals, &["values_are_kept_to_the_bit", "any_history_gives_the_points_of_the_fake"]),
    (
        Bug::ListsByCollation,
        &[
            "keys_are_listed_in_the_order_of_their_bytes",
            "keys_are_listed_to_the_limit",
            "keys_are_listed_page_by_page",
        ],
    ),
    (
        Bug::ListsSeriesTwice,
        &[
            "the_longest_keys_are_told_apart",
            "keys_are_listed_in_the_order_of_their_bytes",
            "keys_are_listed_to_the_limit",
            "keys_are_listed_page_by_page",
        ],
    ),
    (
        Bug::ListsWhatContainsThePrefix,
        &[
            "keys_are_listed_in_the_order_of_their_bytes",
            "keys_are_listed_to_the_limit",
            "keys_are_listed_page_by_page",
            "a_prefix_is_no_pattern",
        ],
    ),
    (Bug::ListsWithoutCase, &["a_prefix_is_no_pattern"]),
    (Bug::TakesPercentForAnything, &["a_prefix_is_no_pattern"]),
    (Bug::TakesUnderscoresForAnythingInListings, &["a_prefix_is_no_pattern"]),
    (Bug::TakesStarsForAnything, &["a_prefix_is_no_pattern"]),
    (
        Bug::IgnoresThePrefix,
        &[
            "the_longest_keys_are_told_apart",
            "an_unknown_series_has_no_points_and_stays_unknown",
            "keys_are_listed_in_the_order_of_their_bytes",
            "keys_are_listed_to_the_limit",
            "keys_are_listed_page_by_page",
            "a_prefix_is_no_pattern",
        ],
    ),
    (Bug::IgnoresTheLimit, &["keys_are_listed_to_the_limit", "keys_are_listed_page_by_page"]),
    (Bug::ListsOneMore, &["keys_are_listed_to_the_limit", "keys_are_listed_page_by_page"]),
    (Bug::TakesNoLimitForAny, &["keys_are_listed_to_the_limit"]),
    (Bug::IgnoresTheCursor, &["keys_are_listed_page_by_page"]),
    (Bug::ListsTheCursorAgain, &["keys_are_listed_page_by_page"]),
    (Bug::EndsAtAnUnknownCursor, &["keys_are_listed_page_by_page"]),
    (Bug::FindsTheCursorByCollation, &["keys_are_listed_page_by_page"]),
    (
        Bug::ListsUnlabelledSeriesAlone,
        &[
            "the_longest_keys_are_told_apart",
            "keys_are_listed_in_the_order_of_their_bytes",
            "keys_are_listed_to_the_limit",
            "keys_are_listed_page_by_page",
        ],
    ),
    (Bug::ForgetsThePrefixAfterTheCursor, &["keys_are_listed_page_by_page"]),
];

fn judged(bug: Bug) -> Laws {
    let disk = Arc::new(Disk::default());
    block_on(conformance::judge(async || Box::new(Broken::open(&disk, bug)) as Box<dyn MetricStore>))
}

#[test]
fn each_fault_is_noticed_by_the_laws_that_it_breaks() {
    assert_noticed(Bug::None, FAULTS, judged);
}
