//! A store of tokens with one fault: the fake behind a decorator.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Epoch, FencingToken, Incarnation, StoreError};
use ttm_market::testing::FakeTokenStore;
use ttm_market::{Added, FOLLOW_STEP, Followed, Mint, Origin, Token, TokenStatus, TokenStore};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bug {
    None,
    LosesTheSymbol,
    ForgetsOnReopening,
    ForgetsEpochsOnReopening,
    ForgetsOwnersOnReopening,
    CountsRevisionsFromOpening,
    LosesOnClosing,
    CutsTimesToMilliseconds,
    RefusesEmptySaves,
    RemembersWhatWasRemoved,
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

pub(crate) struct Broken {
    store: FakeTokenStore,
    bug: Bug,
    known: Mutex<Incarnation>,
    /// What was there when it was opened.
    before: FakeTokenStore,
    removed: Mutex<BTreeSet<Mint>>,
}

impl Broken {
    pub(crate) fn open(memory: &FakeTokenStore, bug: Bug) -> Self {
        let store = if bug == Bug::ForgetsOnReopening { FakeTokenStore::new() } else { memory.clone() };
        let before = FakeTokenStore::new();
        before.restore(store.copy());
        Self { store, bug, known: Mutex::default(), before, removed: Mutex::default() }
    }

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
            Bug::RefusesEmptySaves if tokens.is_empty() => return Err(StoreError::rejected("empty")),
            Bug::CutsTimesToMilliseconds => {
                let cut = |at: Timestamp| Timestamp::from_millisecond(at.as_millisecond()).expect("in range");
                let scores = tokens.iter_mut().filter_map(|token| token.score.as_mut());
                scores
                    .filter(|score| score.at.as_nanosecond() % 1_000 != 0)
                    .for_each(|score| score.at = cut(score.at));
            }
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
            Bug::ForgetsEpochsOnReopening if self.store.newest() == self.before.newest() => {
                FencingToken::new(self.store.newest(), under.incarnation())
            }
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
                let known = mints.iter().collect::<BTreeSet<_>>().len() as u64;
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
        self.removed.lock().expect("nothing panics with it").extend(mints);
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
            Bug::RemembersWhatWasRemoved => {
                let mut mints = mints.to_vec();
                mints.retain(|mint| !self.removed.lock().expect("nothing panics with it").contains(mint));
                return self.store.follow(under, origin, &mints, at).await;
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
        let mut owned = self.store.owned(origin).await?;
        if self.bug == Bug::ForgetsOwnersOnReopening {
            let before = self.before.owned(origin).await?;
            owned.retain(|mint| !before.contains(mint));
        }
        Ok(owned)
    }

    async fn revision(&self, epoch: Epoch) -> Result<u64, StoreError> {
        let epoch = if self.bug == Bug::TakesAnyStoreForItsOwn { Epoch::new(0) } else { epoch };
        let revision = self.store.revision(epoch).await?;
        match self.bug {
            Bug::CountsRevisionsFromOpening => Ok(revision - self.before.revision(Epoch::new(0)).await?),
            _ => Ok(revision),
        }
    }

    async fn close(&self) {
        if self.bug == Bug::LosesOnClosing {
            self.store.restore(self.before.copy());
        }
    }
}

fn is_archived(token: &Token) -> bool {
    token.status == TokenStatus::Archived
}
