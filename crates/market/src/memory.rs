//! The rules of the [`TokenStore`](crate::TokenStore) port on a table in memory: what the fake and the simulated store keep
//! their tokens in. It neither fails nor waits; that is theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use jiff::Timestamp;
use ttm_kernel::{Admission, Epoch, FencingToken, StoreError};

use crate::{Added, Followed, Mint, Origin, Token, TokenStatus};

/// Tokens, who owns them, and who may write. Times are kept as they are given.
#[derive(Clone, Debug, Default)]
pub struct TokenTable {
    tokens: BTreeMap<Mint, Token>,
    /// Who owns what was not added by hand.
    owners: BTreeMap<Mint, Origin>,
    epoch: Epoch,
    /// The newest token that each writer has written under.
    saved: Option<FencingToken>,
    followed: Option<FencingToken>,
    revision: u64,
}

impl TokenTable {
    /// Claims the next epoch.
    pub fn claim(&mut self) -> Epoch {
        self.epoch = Epoch::new(self.epoch.number() + 1);
        self.epoch
    }

    /// The newest epoch that was claimed.
    pub const fn newest(&self) -> Epoch {
        self.epoch
    }

    /// Up to `limit` tokens with mints greater than `after`.
    pub fn load(&self, after: Option<Mint>, limit: usize) -> Vec<Token> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.tokens.range((from, Bound::Unbounded)).take(limit).map(|(_, token)| token.clone()).collect()
    }

    /// Every token, in the order of the mints.
    pub fn tokens(&self) -> Vec<Token> {
        self.tokens.values().cloned().collect()
    }

    /// A number that changes with the set of tokens.
    ///
    /// # Errors
    /// When no process here was granted this epoch.
    pub fn revision(&self, epoch: Epoch) -> Result<u64, StoreError> {
        epoch.check_granted(self.epoch)?;
        Ok(self.revision)
    }

    /// Stores the new state of tokens that are there.
    ///
    /// # Errors
    /// When a newer writer took over.
    pub fn save(&mut self, under: FencingToken, tokens: &[Token]) -> Result<(), StoreError> {
        admit(under, self.epoch, &mut self.saved)?;
        for token in tokens {
            if let Some(kept) = self.tokens.get_mut(&token.mint) {
                kept.clone_from(token);
            }
        }
        Ok(())
    }

    /// Adds mints by hand.
    pub fn add(&mut self, mints: &[Mint], at: Timestamp) -> Added {
        let mut added = Added { new: 0, revived: 0, known: 0 };
        for mint in mints.iter().collect::<BTreeSet<_>>() {
            self.owners.remove(mint);
            match self.tokens.get_mut(mint) {
                None => {
                    self.tokens.insert(*mint, Token::new(*mint, at));
                    added.new += 1;
                }
                Some(token) if token.status == TokenStatus::Archived => {
                    token.status = TokenStatus::Monitored;
                    added.revived += 1;
                }
                Some(_) => added.known += 1,
            }
        }
        self.revision += u64::from(added.new + added.revived > 0);
        added
    }

    /// Removes mints; how many there were.
    pub fn remove(&mut self, mints: &[Mint]) -> u64 {
        let mut removed = 0;
        for mint in mints {
            self.owners.remove(mint);
            removed += u64::from(self.tokens.remove(mint).is_some());
        }
        self.revision += u64::from(removed > 0);
        removed
    }

    /// Makes the tokens of an origin equal to what it lists.
    ///
    /// # Errors
    /// When a newer writer took over.
    pub fn follow(
        &mut self,
        under: FencingToken,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError> {
        admit(under, self.epoch, &mut self.followed)?;
        let listed: BTreeSet<Mint> = mints.iter().copied().collect();
        let owned: BTreeSet<Mint> = self.owned(origin).collect();
        let kept = owned.intersection(&listed).count() as u64;
        let mut followed = Followed { kept, ..Followed::default() };
        for mint in owned.difference(&listed) {
            self.tokens.remove(mint);
            self.owners.remove(mint);
            followed.removed += 1;
        }
        for mint in listed.difference(&owned) {
            if self.tokens.contains_key(mint) {
                followed.others += 1;
            } else {
                self.tokens.insert(*mint, Token::new(*mint, at));
                self.owners.insert(*mint, origin);
                followed.added += 1;
            }
        }
        self.revision += u64::from(followed.added + followed.removed > 0);
        Ok(followed)
    }

    /// The tokens of an origin.
    pub fn owned(&self, origin: Origin) -> impl Iterator<Item = Mint> {
        self.owners.iter().filter(move |(_, owner)| **owner == origin).map(|(mint, _)| *mint)
    }
}

/// Lets a write in, and remembers its token where that is its writer's newest one.
fn admit(under: FencingToken, newest: Epoch, known: &mut Option<FencingToken>) -> Result<(), StoreError> {
    if under.admit(newest, *known)? == Admission::Newest {
        *known = Some(under);
    }
    Ok(())
}
