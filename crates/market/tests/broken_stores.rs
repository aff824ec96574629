//! The suite of the store port finds stores that break its laws: each of these is the fake with one law broken.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Epoch, FencingToken, Incarnation, LeaseError, StoreError, StoreLease};
use ttm_market::testing::{FakeTokenStore, conformance};
use ttm_market::{Added, FOLLOW_STEP, Followed, Mint, Origin, Token, TokenStatus, TokenStore};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    LosesTheSymbol,
    ForgetsOnReopening,
    IgnoresEpochs,
    IgnoresIncarnations,
    CountsIncarnationsOverClaims,
    LetsEmptySavesFenceNothing,
    FencesWritersTogether,
    FollowsUnderAnyIncarnation,
    LetsEmptyListsFenceNothing,
    BringsRemovedTokensBack,
    LeavesArchivedTokensArchived,
    CountsDuplicates,
    TellsSavesAsEdits,
    RepeatsTheLastOfAPage,
    TakesOverWhatWasAddedByHand,
    RevivesWhatIsListed,
    KeepsWhatIsNoLongerListed,
    LeavesAdditionsToTheirOrigin,
    TellsListingsAsEdits,
    FollowsUnderAnyEpoch,
    FollowsOneStepAlone,
    TakesAnyStoreForItsOwn,
}

struct Broken {
    store: FakeTokenStore,
    bug: Bug,
    known: Mutex<Incarnation>,
}

impl Broken {
    /// What no store refuses.
    fn newest(&self) -> FencingToken {
        FencingToken::new(self.store.newest(), Incarnation::new(u32::MAX))
    }
}

#[async_trait]
impl TokenStore for Broken {
    async fn claim(&self) -> Result<Epoch, StoreError> {
        self.store.claim().await
    }

    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, StoreError> {
        let mut page = self.store.load(after, limit).await?;
        if self.bug == Bug::RepeatsTheLastOfAPage && !page.is_empty() {
            page.extend(self.store.tokens().into_iter().filter(|token| Some(token.mint) == after));
        }
        Ok(page)
    }

    async fn save(&self, under: FencingToken, tokens: &[Token]) -> Result<(), StoreError> {
        let mut tokens = tokens.to_vec();
        match self.bug {
            Bug::LosesTheSymbol => tokens.iter_mut().for_each(|token| token.symbol = None),
            Bug::BringsRemovedTokensBack => {
                let mints: Vec<Mint> = tokens.iter().map(|token| token.mint).collect();
                self.store.add(&mints, Timestamp::UNIX_EPOCH).await?;
            }
            Bug::TellsSavesAsEdits => {
                self.store.add(&[Mint::WSOL], Timestamp::UNIX_EPOCH).await?;
                self.store.remove(&[Mint::WSOL]).await?;
            }
            _ => {}
        }
        let under = match self.bug {
            Bug::IgnoresEpochs => self.newest(),
            Bug::IgnoresIncarnations => FencingToken::new(under.epoch(), self.newest().incarnation()),
            Bug::CountsIncarnationsOverClaims => {
                let mut known = self.known.lock().expect("nothing panics with it");
                *known = under.incarnation().max(*known);
                if under.incarnation() < *known {
                    return Err(StoreError::fenced_by_incarnation(under, *known));
                }
                under
            }
            Bug::LetsEmptySavesFenceNothing if tokens.is_empty() => return Ok(()),
            _ => under,
        };
        self.store.save(under, &tokens).await?;
        if self.bug == Bug::FencesWritersTogether {
            self.store.follow(under, Origin::new("none"), &[], Timestamp::UNIX_EPOCH).await?;
        }
        Ok(())
    }

    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, StoreError> {
        if self.bug == Bug::LeavesArchivedTokensArchived {
            let archived = |mint: &Mint| {
                let tokens = self.store.tokens();
                tokens.iter().any(|token| token.mint == *mint && token.status == TokenStatus::Archived)
            };
            let others: Vec<Mint> = mints.iter().filter(|mint| !archived(mint)).copied().collect();
            return self.store.add(&others, at).await;
        }
        if self.bug == Bug::LeavesAdditionsToTheirOrigin {
            let known = self.store.tokens();
            if mints.iter().all(|mint| known.iter().any(|token| token.mint == *mint && !is_archived(token))) {
                let known = mints.iter().collect::<std::collections::BTreeSet<_>>().len() as u64;
                return Ok(Added { new: 0, revived: 0, known });
            }
        }
        let mut added = self.store.add(mints, at).await?;
        if self.bug == Bug::CountsDuplicates && added.new > 0 {
            added.new = mints.len() as u64;
        }
        Ok(added)
    }

    async fn remove(&self, mints: &[Mint]) -> Result<u64, StoreError> {
        self.store.remove(mints).await
    }

    async fn follow(
        &self,
        under: FencingToken,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError> {
        let under = match self.bug {
            Bug::FollowsUnderAnyEpoch => self.newest(),
            Bug::FollowsUnderAnyIncarnation => FencingToken::new(under.epoch(), self.newest().incarnation()),
            _ => under,
        };
        match self.bug {
            Bug::TakesOverWhatWasAddedByHand => {
                self.store.remove(mints).await?;
            }
            Bug::RevivesWhatIsListed => {
                let archived: Vec<Token> = self.store.tokens().into_iter().filter(is_archived).collect();
                let revived =
                    archived.into_iter().map(|token| Token { status: TokenStatus::Monitored, ..token });
                self.store.save(self.newest(), &revived.collect::<Vec<_>>()).await?;
            }
            Bug::KeepsWhatIsNoLongerListed => {
                let known = self.store.tokens().into_iter().map(|token| token.mint);
                let all: Vec<Mint> = mints.iter().copied().chain(known).collect();
                return self.store.follow(under, origin, &all, at).await;
            }
            Bug::FollowsOneStepAlone if mints.len() > FOLLOW_STEP => {
                return self.store.follow(under, origin, &mints[..FOLLOW_STEP], at).await;
            }
            Bug::LetsEmptyListsFenceNothing
                if mints.is_empty() && self.store.owned(origin).await?.is_empty() =>
            {
                return Ok(Followed::default());
            }
            Bug::TellsListingsAsEdits => {
                self.store.add(&[Mint::WSOL], at).await?;
                self.store.remove(&[Mint::WSOL]).await?;
            }
            _ => {}
        }
        self.store.follow(under, origin, mints, at).await
    }

    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError> {
        self.store.owned(origin).await
    }

    async fn revision(&self, epoch: Epoch) -> Result<u64, StoreError> {
        let epoch = if self.bug == Bug::TakesAnyStoreForItsOwn { Epoch::new(0) } else { epoch };
        self.store.revision(epoch).await
    }
}

fn is_archived(token: &Token) -> bool {
    token.status == TokenStatus::Archived
}

/// Whether the suite passes a store with this bug.
fn passes(bug: Bug) -> bool {
    let memory = FakeTokenStore::new();
    let open = async || {
        let store = if bug == Bug::ForgetsOnReopening { FakeTokenStore::new() } else { memory.clone() };
        Box::new(Broken { store, bug, known: Mutex::default() }) as Box<dyn TokenStore>
    };
    catch_unwind(AssertUnwindSafe(|| block_on(conformance::token_store::check(open)))).is_ok()
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

#[test]
fn the_suite_refuses_every_broken_store() {
    assert!(passes(Bug::None), "the wrapper itself breaks nothing");
    for bug in [
        Bug::LosesTheSymbol,
        Bug::ForgetsOnReopening,
        Bug::IgnoresEpochs,
        Bug::IgnoresIncarnations,
        Bug::CountsIncarnationsOverClaims,
        Bug::LetsEmptySavesFenceNothing,
        Bug::FencesWritersTogether,
        Bug::FollowsUnderAnyIncarnation,
        Bug::LetsEmptyListsFenceNothing,
        Bug::BringsRemovedTokensBack,
        Bug::LeavesArchivedTokensArchived,
        Bug::CountsDuplicates,
        Bug::TellsSavesAsEdits,
        Bug::RepeatsTheLastOfAPage,
        Bug::TakesOverWhatWasAddedByHand,
        Bug::RevivesWhatIsListed,
        Bug::KeepsWhatIsNoLongerListed,
        Bug::LeavesAdditionsToTheirOrigin,
        Bug::TellsListingsAsEdits,
        Bug::FollowsUnderAnyEpoch,
        Bug::FollowsOneStepAlone,
        Bug::TakesAnyStoreForItsOwn,
    ] {
        assert!(!passes(bug), "{bug:?} goes unnoticed");
    }
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
