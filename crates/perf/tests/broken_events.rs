//! The suite of the record of events finds stores that break its laws: each of these is the fake with one fault, and the laws that notice it
//! are exactly those named beside it.

mod broken;

use std::sync::Arc;

use broken::block_on;
use broken::events::{Broken, Bug, Disk};
use ttm_kernel::testing::{Laws, assert_noticed};
use ttm_perf::EventStore;
use ttm_perf::testing::event_conformance;

const FAULTS: &[(Bug, &[&str])] = &[
    (
        Bug::ForgetsOnReopening,
        &["an_acknowledged_batch_survives_reopening_as_it_was", "duplicates_are_known_after_reopening"],
    ),
    (Bug::ForgetsDuplicatesOnReopening, &["duplicates_are_known_after_reopening"]),
    (Bug::TakesTheLastAfterReopening, &["duplicates_are_known_after_reopening"]),
    (
        Bug::CountsDuplicatesAsStored,
        &[
            "duplicates_are_known_after_reopening",
            "every_event_of_a_batch_is_either_stored_or_a_duplicate",
            "the_first_event_of_an_identity_wins",
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "writers_of_the_same_events_store_each_once",
            "any_record_gives_the_pages_of_the_fake",
        ],
    ),
    (
        Bug::CountsNoDuplicates,
        &[
            "duplicates_are_known_after_reopening",
            "every_event_of_a_batch_is_either_stored_or_a_duplicate",
            "the_first_event_of_an_identity_wins",
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "writers_of_the_same_events_store_each_once",
            "any_record_gives_the_pages_of_the_fake",
        ],
    ),
    (Bug::TakesTheLastOfABatch, &["the_first_event_of_an_identity_wins"]),
    (Bug::TakesTheLast, &["the_first_event_of_an_identity_wins"]),
    (
        Bug::TakesTheIdForTheIdentity,
        &["duplicates_are_known_after_reopening", "the_first_event_of_an_identity_wins"],
    ),
    (
        Bug::TakesTheTimeForTheIdentity,
        &["duplicates_are_known_after_reopening", "the_first_event_of_an_identity_wins"],
    ),
    (Bug::RefusesEmptyBatches, &["an_empty_batch_is_stored_at_once"]),
    (
        Bug::CutsTimesToMilliseconds,
        &[
            "an_acknowledged_batch_survives_reopening_as_it_was",
            "duplicates_are_known_after_reopening",
            "the_first_event_of_an_identity_wins",
            "a_large_batch_is_stored_whole",
            "a_question_holds_its_begin_and_not_its_end",
            "events_are_chosen_by_the_beginning_of_their_kind",
            "events_are_chosen_by_their_whole_subject",
            "a_question_without_a_subject_finds_those_of_all",
            "any_record_gives_the_pages_of_the_fake",
            "pages_miss_and_repeat_nothing",
            "pages_keep_to_their_question",
            "what_is_appended_meanwhile_moves_no_page",
        ],
    ),
    (
        Bug::CutsIds,
        &[
            "an_acknowledged_batch_survives_reopening_as_it_was",
            "duplicates_are_known_after_reopening",
            "the_first_event_of_an_identity_wins",
            "a_large_batch_is_stored_whole",
            "the_longest_names_are_told_apart",
            "events_are_chosen_by_their_whole_subject",
            "a_question_without_a_subject_finds_those_of_all",
            "any_record_gives_the_pages_of_the_fake",
            "events_of_one_time_are_in_the_order_of_their_ids",
            "pages_miss_and_repeat_nothing",
        ],
    ),
    (
        Bug::RewritesPayloads,
        &["an_acknowledged_batch_survives_reopening_as_it_was", "any_record_gives_the_pages_of_the_fake"],
    ),
    (
        Bug::CutsPayloads,
        &["an_acknowledged_batch_survives_reopening_as_it_was", "any_record_gives_the_pages_of_the_fake"],
    ),
    (
        Bug::ForgetsSeverities,
        &["an_acknowledged_batch_survives_reopening_as_it_was", "any_record_gives_the_pages_of_the_fake"],
    ),
    (
        Bug::StoresSubjectsInLowerCase,
        &[
            "an_acknowledged_batch_survives_reopening_as_it_was",
            "events_are_chosen_by_their_whole_subject",
            "a_question_without_a_subject_finds_those_of_all",
            "any_record_gives_the_pages_of_the_fake",
        ],
    ),
    (Bug::CutsKinds, &["the_longest_names_are_told_apart"]),
    (Bug::CutsSubjects, &["the_longest_names_are_told_apart"]),
    (
        Bug::StoresTheBeginOfALargeBatch,
        &["a_large_batch_is_stored_whole", "a_batch_is_stored_whole_or_refused_whole"],
    ),
    (Bug::StoresPartOfARefusedBatch, &["a_batch_is_stored_whole_or_refused_whole"]),
    (
        Bug::RefusesABatchAfterARefusal,
        &[
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
        ],
    ),
    (Bug::StoresHalfOfADroppedBatch, &["a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all"]),
    (Bug::StoresChunksOfADroppedBatch, &["a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all"]),
    (
        Bug::LeavesALockWhenDropped,
        &[
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all",
            "writers_of_the_same_events_store_each_once",
            "a_question_holds_its_begin_and_not_its_end",
            "events_are_chosen_by_the_beginning_of_their_kind",
            "events_are_chosen_by_their_whole_subject",
            "a_question_without_a_subject_finds_those_of_all",
            "any_record_gives_the_pages_of_the_fake",
            "events_of_one_time_are_in_the_order_of_their_ids",
            "pages_miss_and_repeat_nothing",
            "pages_keep_to_their_question",
            "what_is_appended_meanwhile_moves_no_page",
        ],
    ),
    (Bug::ShowsABatchInParts, &["a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all"]),
    (
        Bug::RemembersThatThereWasNothing,
        &[
            "a_reader_beside_a_writer_sees_a_batch_whole_or_not_at_all",
            "events_are_chosen_by_the_beginning_of_their_kind",
            "any_record_gives_the_pages_of_the_fake",
        ],
    ),
    (Bug::CountsBeforeItInserts, &["writers_of_the_same_events_store_each_once"]),
    (Bug::FailsOnARace, &["writers_of_the_same_events_store_each_once"]),
    (Bug::LosesARace, &["writers_of_the_same_events_store_each_once"]),
    (Bug::TakesOneWriterAtATime, &["writers_of_the_same_events_store_each_once"]),
    (
        Bug::LeavesOutTheBegin,
        &[
            "a_batch_is_stored_whole_or_refused_whole",
            "a_question_holds_its_begin_and_not_its_end",
            "a_question_without_a_subject_finds_those_of_all",
            "events_of_one_time_are_in_the_order_of_their_ids",
            "pages_keep_to_their_question",
        ],
    ),
    (
        Bug::HoldsTheEnd,
        &[
            "a_question_holds_its_begin_and_not_its_end",
            "a_question_without_a_subject_finds_those_of_all",
            "pages_keep_to_their_question",
        ],
    ),
    (
        Bug::FindsSubjectsByTheirBegin,
        &[
            "the_first_event_of_an_identity_wins",
            "events_are_chosen_by_their_whole_subject",
            "any_record_gives_the_pages_of_the_fake",
        ],
    ),
    (Bug::FindsSubjectsByTheirEnd, &["events_are_chosen_by_their_whole_subject"]),
    (
        Bug::FindsSubjectsWithoutCase,
        &["events_are_chosen_by_their_whole_subject", "any_record_gives_the_pages_of_the_fake"],
    ),
    (Bug::TakesUnderscoresForAnything, &["events_are_chosen_by_their_whole_subject"]),
    (Bug::TakesPercentForAnything, &["events_are_chosen_by_their_whole_subject"]),
    (Bug::TakesStarsForAnything, &["events_are_chosen_by_their_whole_subject"]),
    (Bug::TakesUnderscoresOfKindsForAnything, &["events_are_chosen_by_the_beginning_of_their_kind"]),
    (
        Bug::FindsKindsByAnyPart,
        &["events_are_chosen_by_the_beginning_of_their_kind", "any_record_gives_the_pages_of_the_fake"],
    ),
    (
        Bug::FindsWholeKinds,
        &["events_are_chosen_by_the_beginning_of_their_kind", "any_record_gives_the_pages_of_the_fake"],
    ),
    (
        Bug::FindsNothingWithoutASubject,
        &["a_question_without_a_subject_finds_those_of_all", "pages_keep_to_their_question"],
    ),
    (
        Bug::IgnoresKindsWithoutASubject,
        &["a_question_without_a_subject_finds_those_of_all", "pages_keep_to_their_question"],
    ),
    (Bug::TakesIdsForSigned, &["events_of_one_time_are_in_the_order_of_their_ids"]),
    (Bug::TakesHalvesOfIdsForSigned, &["events_of_one_time_are_in_the_order_of_their_ids"]),
    (
        Bug::OrdersIdsAscending,
        &[
            "the_first_event_of_an_identity_wins",
            "events_of_one_time_are_in_the_order_of_their_ids",
            "pages_miss_and_repeat_nothing",
            "pages_keep_to_their_question",
            "what_is_appended_meanwhile_moves_no_page",
        ],
    ),
    (
        Bug::TakesIdsForText,
        &["events_of_one_time_are_in_the_order_of_their_ids", "pages_keep_to_their_question"],
    ),
    (
        Bug::IgnoresTheLimit,
        &[
            "a_large_batch_is_stored_whole",
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "any_record_gives_the_pages_of_the_fake",
            "events_of_one_time_are_in_the_order_of_their_ids",
            "pages_miss_and_repeat_nothing",
            "pages_keep_to_their_question",
            "what_is_appended_meanwhile_moves_no_page",
        ],
    ),
    (
        Bug::EndsAfterOnePage,
        &[
            "a_large_batch_is_stored_whole",
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "any_record_gives_the_pages_of_the_fake",
            "events_of_one_time_are_in_the_order_of_their_ids",
            "pages_miss_and_repeat_nothing",
            "pages_keep_to_their_question",
            "what_is_appended_meanwhile_moves_no_page",
        ],
    ),
    (
        Bug::PromisesAnEmptyPage,
        &[
            "any_record_gives_the_pages_of_the_fake",
            "events_of_one_time_are_in_the_order_of_their_ids",
            "pages_miss_and_repeat_nothing",
            "pages_keep_to_their_question",
        ],
    ),
    (
        Bug::SkipsTheRestOfATime,
        &[
            "events_of_one_time_are_in_the_order_of_their_ids",
            "pages_miss_and_repeat_nothing",
            "pages_keep_to_their_question",
            "what_is_appended_meanwhile_moves_no_page",
        ],
    ),
    (
        Bug::RepeatsTheLastOfAPage,
        &[
            "a_large_batch_is_stored_whole",
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "events_of_one_time_are_in_the_order_of_their_ids",
            "pages_miss_and_repeat_nothing",
            "pages_keep_to_their_question",
            "what_is_appended_meanwhile_moves_no_page",
        ],
    ),
    (
        Bug::CountsPagesFromTheNewest,
        &["any_record_gives_the_pages_of_the_fake", "what_is_appended_meanwhile_moves_no_page"],
    ),
    (
        Bug::ForgetsTheBeginOnLaterPages,
        &["any_record_gives_the_pages_of_the_fake", "pages_keep_to_their_question"],
    ),
    (
        Bug::ForgetsTheEndOnLaterPages,
        &["any_record_gives_the_pages_of_the_fake", "pages_keep_to_their_question"],
    ),
    (
        Bug::ForgetsTheKindOnLaterPages,
        &["any_record_gives_the_pages_of_the_fake", "pages_keep_to_their_question"],
    ),
    (
        Bug::ForgetsTheSubjectOnLaterPages,
        &[
            "a_large_batch_is_stored_whole",
            "a_batch_is_stored_whole_or_refused_whole",
            "a_batch_that_is_dropped_anywhere_is_stored_whole_or_not_at_all",
            "any_record_gives_the_pages_of_the_fake",
            "pages_miss_and_repeat_nothing",
            "pages_keep_to_their_question",
            "what_is_appended_meanwhile_moves_no_page",
        ],
    ),
];

fn judged(bug: Bug) -> Laws {
    let disk = Arc::new(Disk::default());
    block_on(event_conformance::judge(async || Box::new(Broken::open(&disk, bug)) as Box<dyn EventStore>))
}

#[test]
fn each_fault_is_noticed_by_the_laws_that_it_breaks() {
    assert_noticed(Bug::None, FAULTS, judged);
}
