//! The suite of the ledger finds ledgers that break its laws: each of these is the fake with one fault, and the laws that notice it are
//! exactly those named beside it.

mod broken;

use std::future::Future;
use std::sync::Arc;

use broken::{Broken, Bug};
use ttm_kernel::testing::{Laws, assert_noticed};
use ttm_recovery::RecoveryLedger;
use ttm_recovery::testing::{FakeRecoveryLedger, conformance};
use ttm_testkit::ManualRuntime;

const FAULTS: &[(Bug, &[&str])] = &[
    (Bug::ForgetsOnReopening, &["what_was_acknowledged_survives_reopening"]),
    (Bug::ForgetsEpochsOnReopening, &["an_older_epoch_stays_fenced_after_reopening"]),
    (
        Bug::ForgetsIncarnationsOnReopening,
        &["what_was_acknowledged_survives_reopening", "an_older_incarnation_stays_fenced_after_reopening"],
    ),
    (
        Bug::BringsBackWhatWasSetAside,
        &["what_was_set_aside_stays_away_after_reopening", "a_ledger_that_was_set_aside_is_empty_and_works"],
    ),
    (
        Bug::IgnoresEpochs,
        &[
            "an_older_epoch_stays_fenced_after_reopening",
            "an_older_incarnation_stays_fenced_after_reopening",
            "what_was_set_aside_stays_away_after_reopening",
            "an_older_epoch_appends_nothing",
            "an_older_incarnation_appends_nothing",
            "the_first_append_of_an_incarnation_fences_off_older_ones_even_if_it_is_empty",
            "a_claim_begins_again_at_incarnation_zero",
            "a_ledger_that_was_set_aside_is_empty_and_works",
            "only_the_newest_token_sets_aside",
        ],
    ),
    (
        Bug::IgnoresIncarnations,
        &[
            "an_older_incarnation_stays_fenced_after_reopening",
            "what_was_set_aside_stays_away_after_reopening",
            "an_older_incarnation_appends_nothing",
            "the_first_append_of_an_incarnation_fences_off_older_ones_even_if_it_is_empty",
            "a_ledger_that_was_set_aside_is_empty_and_works",
            "only_the_newest_token_sets_aside",
        ],
    ),
    (
        Bug::CountsIncarnationsOverClaims,
        &[
            "the_first_append_of_an_incarnation_fences_off_older_ones_even_if_it_is_empty",
            "a_claim_begins_again_at_incarnation_zero",
            "the_newest_entries_are_kept",
            "a_ledger_that_was_set_aside_is_empty_and_works",
            "only_the_newest_token_sets_aside",
        ],
    ),
    (
        Bug::LetsEmptyAppendsFenceNothing,
        &[
            "an_older_incarnation_stays_fenced_after_reopening",
            "the_first_append_of_an_incarnation_fences_off_older_ones_even_if_it_is_empty",
            "a_claim_begins_again_at_incarnation_zero",
            "only_the_newest_token_sets_aside",
        ],
    ),
    (
        Bug::RefusesEmptyAppends,
        &[
            "an_older_incarnation_stays_fenced_after_reopening",
            "an_empty_append_works",
            "the_first_append_of_an_incarnation_fences_off_older_ones_even_if_it_is_empty",
            "a_claim_begins_again_at_incarnation_zero",
            "only_the_newest_token_sets_aside",
        ],
    ),
    (
        Bug::StoresBeforeItFences,
        &[
            "an_older_epoch_stays_fenced_after_reopening",
            "an_older_incarnation_stays_fenced_after_reopening",
            "an_older_epoch_appends_nothing",
            "an_older_incarnation_appends_nothing",
            "a_claim_begins_again_at_incarnation_zero",
        ],
    ),
    (Bug::TakesTheLastOfAKey, &["an_entry_that_is_there_already_stays_as_it_is"]),
    (
        Bug::CutsPeriodsToMilliseconds,
        &["every_fact_comes_back_exactly", "periods_and_times_are_kept_to_the_microsecond"],
    ),
    (Bug::CutsTimesToMilliseconds, &["periods_and_times_are_kept_to_the_microsecond"]),
    (
        Bug::RoundsTimesUp,
        &[
            "what_was_acknowledged_survives_reopening",
            "every_fact_comes_back_exactly",
            "periods_and_times_are_kept_to_the_microsecond",
            "an_entry_that_is_there_already_stays_as_it_is",
            "entries_come_in_the_order_of_their_keys",
            "load_returns_the_newest_that_are_not_before_a_time",
            "entries_of_earlier_epochs_are_kept",
            "an_older_epoch_appends_nothing",
            "an_older_incarnation_appends_nothing",
            "the_newest_entries_are_kept",
            "a_ledger_that_was_set_aside_is_empty_and_works",
            "only_the_newest_token_sets_aside",
        ],
    ),
    (
        Bug::ForgetsEvidence,
        &["every_fact_comes_back_exactly", "one_entry_out_of_bounds_rejects_the_whole_call"],
    ),
    (Bug::ForgetsEmptyEvidence, &["every_fact_comes_back_exactly"]),
    (Bug::ForgetsCharges, &["every_fact_comes_back_exactly"]),
    (
        Bug::ForgetsTheRecovery,
        &["every_fact_comes_back_exactly", "one_entry_out_of_bounds_rejects_the_whole_call"],
    ),
    (
        Bug::CutsLongTexts,
        &["every_fact_comes_back_exactly", "one_entry_out_of_bounds_rejects_the_whole_call"],
    ),
    (Bug::TakesWhatIsOutOfBounds, &["one_entry_out_of_bounds_rejects_the_whole_call"]),
    (Bug::StoresTheRestOfARejectedCall, &["one_entry_out_of_bounds_rejects_the_whole_call"]),
    (
        Bug::OrdersByTime,
        &[
            "entries_come_in_the_order_of_their_keys",
            "load_returns_the_newest_that_are_not_before_a_time",
            "the_newest_entries_are_kept",
        ],
    ),
    (
        Bug::OrdersKeysAsText,
        &[
            "every_fact_comes_back_exactly",
            "entries_come_in_the_order_of_their_keys",
            "the_newest_entries_are_kept",
        ],
    ),
    (
        Bug::ReturnsTheNewestFirst,
        &[
            "what_was_acknowledged_survives_reopening",
            "every_fact_comes_back_exactly",
            "an_entry_that_is_there_already_stays_as_it_is",
            "entries_come_in_the_order_of_their_keys",
            "load_returns_the_newest_that_are_not_before_a_time",
            "entries_of_earlier_epochs_are_kept",
            "an_older_incarnation_appends_nothing",
            "the_newest_entries_are_kept",
            "only_the_newest_token_sets_aside",
        ],
    ),
    (Bug::ReturnsTheOldest, &["load_returns_the_newest_that_are_not_before_a_time"]),
    (Bug::LimitsBeforeItLooksAtTimes, &["load_returns_the_newest_that_are_not_before_a_time"]),
    (Bug::IgnoresTheTime, &["load_returns_the_newest_that_are_not_before_a_time"]),
    (
        Bug::LeavesOutTheTimeItself,
        &[
            "periods_and_times_are_kept_to_the_microsecond",
            "load_returns_the_newest_that_are_not_before_a_time",
        ],
    ),
    (Bug::RefusesEarlierEpochs, &["entries_of_earlier_epochs_are_kept"]),
    (Bug::KeepsTooFew, &["the_newest_entries_are_kept"]),
    (Bug::KeepsTheNewestTimes, &["the_newest_entries_are_kept"]),
    (
        Bug::SetsNothingAside,
        &["what_was_set_aside_stays_away_after_reopening", "a_ledger_that_was_set_aside_is_empty_and_works"],
    ),
    (Bug::SetsAsideBeforeItFences, &["only_the_newest_token_sets_aside"]),
];

fn judged(bug: Bug) -> Laws {
    let memory = FakeRecoveryLedger::new();
    let last = Arc::default();
    let open = async || Box::new(Broken::open(&memory, bug, &last)) as Box<dyn RecoveryLedger>;
    block_on(conformance::judge(open, async || memory.claim()))
}

fn block_on<F: Future>(future: F) -> F::Output {
    ManualRuntime::new(0).block_on(future)
}

#[test]
fn the_suite_notices_each_fault_by_the_laws_that_it_breaks() {
    assert_noticed(Bug::None, FAULTS, judged);
}
