//! The suite of the store port finds stores that break its laws: each of these is the fake with one fault, and the laws that notice it
//! are exactly those named beside it.

mod broken;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use broken::{Broken, Bug};
use ttm_kernel::testing::{Laws, assert_noticed};
use ttm_kernel::{LeaseError, StoreError, StoreLease};
use ttm_market::TokenStore;
use ttm_market::testing::{FakeTokenStore, conformance};

fn judged(bug: Bug) -> Laws {
    let memory = FakeTokenStore::new();
    let open = async || Box::new(Broken::open(&memory, bug)) as Box<dyn TokenStore>;
    block_on(conformance::token_store::judge(open))
}

/// Runs a future that never waits for anything outside itself.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

const FAULTS: &[(Bug, &[&str])] = &[
    (
        Bug::LosesTheSymbol,
        &[
            "what_was_acknowledged_survives_reopening",
            "any_token_comes_back_exactly_as_saved",
            "saving_twice_is_saving_once",
            "a_removed_token_never_comes_back",
            "a_known_token_stays_as_it_is_when_added_again",
            "an_archived_token_is_monitored_when_added_again",
            "ten_thousand_tokens_go_through_at_once",
            "a_token_that_is_kept_stays_as_it_is",
            "an_older_incarnation_saves_nothing",
        ],
    ),
    (
        Bug::ForgetsOnReopening,
        &[
            "what_was_acknowledged_survives_reopening",
            "an_older_epoch_stays_fenced_after_reopening",
            "what_is_followed_survives_reopening",
            "an_older_incarnation_stays_fenced_after_reopening",
            "what_was_closed_opens_again_with_all_that_was_in_it",
        ],
    ),
    (Bug::ForgetsEpochsOnReopening, &["an_older_epoch_stays_fenced_after_reopening"]),
    (Bug::ForgetsOwnersOnReopening, &["what_is_followed_survives_reopening"]),
    (Bug::CountsRevisionsFromOpening, &["what_was_acknowledged_survives_reopening"]),
    (Bug::LosesOnClosing, &["what_was_closed_opens_again_with_all_that_was_in_it"]),
    (Bug::CutsTimesToMilliseconds, &["times_are_kept_to_the_microsecond"]),
    (
        Bug::RefusesEmptySaves,
        &[
            "an_empty_save_works",
            "the_first_write_of_an_incarnation_fences_off_older_ones_even_if_it_writes_nothing",
            "writers_are_restarted_apart",
            "a_claim_starts_again_at_incarnation_zero",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (
        Bug::RemembersWhatWasRemoved,
        &["what_is_removed_comes_back_with_the_listing", "following_changes_the_revision_only_with_the_set"],
    ),
    (
        Bug::IgnoresEpochs,
        &[
            "an_older_epoch_stays_fenced_after_reopening",
            "an_older_epoch_stores_nothing",
            "a_store_that_never_granted_the_epoch_is_another_one",
            "an_older_incarnation_saves_nothing",
            "the_first_write_of_an_incarnation_fences_off_older_ones_even_if_it_writes_nothing",
            "a_claim_starts_again_at_incarnation_zero",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (
        Bug::IgnoresIncarnations,
        &[
            "an_older_incarnation_saves_nothing",
            "the_first_write_of_an_incarnation_fences_off_older_ones_even_if_it_writes_nothing",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (
        Bug::CountsIncarnationsOverClaims,
        &[
            "the_first_write_of_an_incarnation_fences_off_older_ones_even_if_it_writes_nothing",
            "writers_are_restarted_apart",
            "a_claim_starts_again_at_incarnation_zero",
        ],
    ),
    (
        Bug::LetsEmptySavesFenceNothing,
        &[
            "the_first_write_of_an_incarnation_fences_off_older_ones_even_if_it_writes_nothing",
            "a_claim_starts_again_at_incarnation_zero",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (Bug::FencesWritersTogether, &["writers_are_restarted_apart"]),
    (
        Bug::FollowsUnderAnyIncarnation,
        &[
            "an_older_incarnation_follows_nothing",
            "the_first_write_of_an_incarnation_fences_off_older_ones_even_if_it_writes_nothing",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (
        Bug::LetsEmptyListsFenceNothing,
        &[
            "a_store_that_never_granted_the_epoch_is_another_one",
            "the_first_write_of_an_incarnation_fences_off_older_ones_even_if_it_writes_nothing",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (
        Bug::BringsRemovedTokensBack,
        &[
            "a_removed_token_never_comes_back",
            "a_token_that_is_kept_stays_as_it_is",
            "an_older_incarnation_saves_nothing",
        ],
    ),
    (
        Bug::LeavesArchivedTokensArchived,
        &["an_archived_token_is_monitored_when_added_again", "the_revision_tells_edits_and_not_saves"],
    ),
    (
        Bug::CountsDuplicates,
        &["an_archived_token_is_monitored_when_added_again", "duplicates_in_an_addition_count_once"],
    ),
    (Bug::TellsSavesAsEdits, &["the_revision_tells_edits_and_not_saves"]),
    (
        Bug::RepeatsTheLastOfAPage,
        &[
            "pages_hold_every_token_once_in_the_order_of_the_mints",
            "ten_thousand_tokens_go_through_at_once",
            "a_listing_adds_and_removes_what_its_origin_owns",
            "what_another_owns_is_neither_touched_nor_taken_over",
            "a_token_that_is_kept_stays_as_it_is",
            "what_is_added_by_hand_outlives_the_listing",
            "an_older_incarnation_saves_nothing",
            "what_was_closed_opens_again_with_all_that_was_in_it",
        ],
    ),
    (
        Bug::TakesOverWhatWasAddedByHand,
        &[
            "a_store_that_never_granted_the_epoch_is_another_one",
            "what_is_followed_survives_reopening",
            "a_listing_adds_and_removes_what_its_origin_owns",
            "what_another_owns_is_neither_touched_nor_taken_over",
            "a_token_that_is_kept_stays_as_it_is",
            "what_is_added_by_hand_outlives_the_listing",
            "following_changes_the_revision_only_with_the_set",
            "an_older_epoch_follows_nothing",
            "more_than_a_step_is_followed_to_the_end",
            "an_older_incarnation_follows_nothing",
        ],
    ),
    (
        Bug::RevivesWhatIsListed,
        &[
            "a_token_that_is_kept_stays_as_it_is",
            "writers_are_restarted_apart",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (
        Bug::KeepsWhatIsNoLongerListed,
        &[
            "what_is_followed_survives_reopening",
            "a_listing_adds_and_removes_what_its_origin_owns",
            "what_another_owns_is_neither_touched_nor_taken_over",
            "a_token_that_is_kept_stays_as_it_is",
            "what_is_added_by_hand_outlives_the_listing",
            "what_is_removed_comes_back_with_the_listing",
            "following_changes_the_revision_only_with_the_set",
            "an_older_epoch_follows_nothing",
            "more_than_a_step_is_followed_to_the_end",
        ],
    ),
    (
        Bug::LeavesAdditionsToTheirOrigin,
        &["what_is_added_by_hand_outlives_the_listing", "following_changes_the_revision_only_with_the_set"],
    ),
    (
        Bug::TellsListingsAsEdits,
        &["following_changes_the_revision_only_with_the_set", "an_older_epoch_follows_nothing"],
    ),
    (
        Bug::FollowsUnderAnyEpoch,
        &[
            "a_store_that_never_granted_the_epoch_is_another_one",
            "an_older_epoch_follows_nothing",
            "an_older_incarnation_follows_nothing",
            "the_first_write_of_an_incarnation_fences_off_older_ones_even_if_it_writes_nothing",
            "an_older_incarnation_stays_fenced_after_reopening",
        ],
    ),
    (Bug::FollowsOneStepAlone, &["more_than_a_step_is_followed_to_the_end"]),
    (Bug::TakesAnyStoreForItsOwn, &["a_store_that_never_granted_the_epoch_is_another_one"]),
];

#[test]
fn the_suite_notices_each_fault_by_the_laws_that_it_breaks() {
    assert_noticed(Bug::None, FAULTS, judged);
}

/// A lease that this process holds or does not.
struct Lease {
    stands: bool,
}

#[async_trait]
impl StoreLease for Lease {
    async fn acquire(&self) -> Result<(), LeaseError> {
        self.renew().await
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        if self.stands { Ok(()) } else { Err(LeaseError::Lost { holder: None }) }
    }

    async fn release(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn stands(&self) -> bool {
        self.stands
    }

    fn renew_every(&self) -> Duration {
        Duration::from_secs(5)
    }
}

#[test]
fn the_fake_grants_an_epoch_only_to_the_holder_of_its_lease_and_the_suite_rejects_one_that_does_not_check() {
    let memory = FakeTokenStore::new();
    let holder = memory.with_lease(Arc::new(Lease { stands: true }));
    let other = memory.with_lease(Arc::new(Lease { stands: false }));
    let suite = conformance::token_store::only_the_holder_of_the_lease_claims;
    block_on(suite(&holder, &other));
    let checks_no_lease = &memory;
    let outcome = catch_unwind(AssertUnwindSafe(|| block_on(suite(&holder, checks_no_lease))));
    assert!(outcome.is_err(), "a claim without the lease goes unnoticed");
}
