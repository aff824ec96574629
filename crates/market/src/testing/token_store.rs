//! A token store in memory that obeys every law of the port, and can be told to fail. It does not know how to be slow.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{Timestamp, Unit};
use ttm_kernel::Epoch;

use crate::{Added, Basis, Followed, Mint, Origin, Token, TokenStatus, TokenStore, TokenStoreError};

/// Remembers tokens. Clones share their memory, so that a clone is what a reopened store would be.
#[derive(Clone, Debug, Default)]
pub struct FakeTokenStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    tokens: BTreeMap<Mint, Token>,
    /// Who owns what was not added by hand.
    owners: BTreeMap<Mint, Origin>,
    epoch: u64,
    revision: u64,
    saves: u64,
    failure: Option<Box<dyn Fn() -> TokenStoreError + Send>>,
}

impl FakeTokenStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every call fail with what `error` gives, until [`heal`](Self::heal).
    pub fn fail_with(&self, error: impl Fn() -> TokenStoreError + Send + 'static) {
        self.lock().failure = Some(Box::new(error));
    }

    /// Lets calls work again; what was stored before is still there.
    pub fn heal(&self) {
        self.lock().failure = None;
    }

    /// Every token, in the order of the mints.
    pub fn tokens(&self) -> Vec<Token> {
        self.lock().tokens.values().cloned().collect()
    }

    /// How many saves were acknowledged.
    pub fn saves(&self) -> u64 {
        self.lock().saves
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, Inner>, TokenStoreError> {
        let inner = self.lock();
        match &inner.failure {
            Some(error) => Err(error()),
            None => Ok(inner),
        }
    }
}

impl Inner {
    fn owned_by(&self, origin: Origin) -> impl Iterator<Item = Mint> {
        self.owners.iter().filter(move |(_, owner)| **owner == origin).map(|(mint, _)| *mint)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("tokens", &self.tokens)
            .field("epoch", &self.epoch)
            .field("revision", &self.revision)
            .field("fails", &self.failure.is_some())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenStore for FakeTokenStore {
    async fn claim(&self) -> Result<Epoch, TokenStoreError> {
        let mut inner = self.working()?;
        inner.epoch += 1;
        Ok(Epoch::new(inner.epoch))
    }

    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, TokenStoreError> {
        let inner = self.working()?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(inner.tokens.range((from, Bound::Unbounded)).take(limit).map(|(_, token)| token.clone()).collect())
    }

    async fn save(&self, epoch: Epoch, tokens: &[Token]) -> Result<(), TokenStoreError> {
        let mut inner = self.working()?;
        if epoch.number() < inner.epoch {
            return Err(TokenStoreError::Fenced { epoch });
        }
        for token in tokens {
            if let Some(stored) = inner.tokens.get_mut(&token.mint) {
                *stored = to_microseconds(token.clone());
            }
        }
        inner.saves += 1;
        Ok(())
    }

    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, TokenStoreError> {
        let mut inner = self.working()?;
        let mut added = Added { new: 0, revived: 0, known: 0 };
        for mint in mints.iter().copied().collect::<BTreeSet<Mint>>() {
            inner.owners.remove(&mint);
            match inner.tokens.get_mut(&mint) {
                None => {
                    inner.tokens.insert(mint, Token::new(mint, microseconds(at)));
                    added.new += 1;
                }
                Some(token) if token.status == TokenStatus::Archived => {
                    token.status = TokenStatus::Monitored;
                    added.revived += 1;
                }
                Some(_) => added.known += 1,
            }
        }
        inner.revision += u64::from(added.new + added.revived > 0);
        Ok(added)
    }

    async fn remove(&self, mints: &[Mint]) -> Result<u64, TokenStoreError> {
        let mut inner = self.working()?;
        let before = inner.tokens.len();
        for mint in mints {
            inner.tokens.remove(mint);
            inner.owners.remove(mint);
        }
        let removed = (before - inner.tokens.len()) as u64;
        inner.revision += u64::from(removed > 0);
        Ok(removed)
    }

    async fn follow(
        &self,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, TokenStoreError> {
        let mut inner = self.working()?;
        let listed: BTreeSet<Mint> = mints.iter().copied().collect();
        let owned: BTreeSet<Mint> = inner.owned_by(origin).collect();
        let mut followed =
            Followed { kept: owned.intersection(&listed).count() as u64, ..Followed::default() };
        for mint in owned.difference(&listed) {
            inner.tokens.remove(mint);
            inner.owners.remove(mint);
            followed.removed += 1;
        }
        for mint in listed.difference(&owned) {
            if inner.tokens.contains_key(mint) {
                followed.others += 1;
                continue;
            }
            inner.tokens.insert(*mint, Token::new(*mint, microseconds(at)));
            inner.owners.insert(*mint, origin);
            followed.added += 1;
        }
        inner.revision += u64::from(followed.added + followed.removed > 0);
        Ok(followed)
    }

    async fn owned(&self, origin: Origin) -> Result<u64, TokenStoreError> {
        Ok(self.working()?.owned_by(origin).count() as u64)
    }

    async fn revision(&self) -> Result<u64, TokenStoreError> {
        Ok(self.working()?.revision)
    }
}

/// The token as a table with microseconds gives it back.
fn to_microseconds(mut token: Token) -> Token {
    token.first_seen = microseconds(token.first_seen);
    token.below_since = token.below_since.map(microseconds);
    if let Some(score) = &mut token.score {
        score.at = microseconds(score.at);
        if let Basis::All { listed_at } = &mut score.basis {
            *listed_at = microseconds(*listed_at);
        }
    }
    if let Some(unlisted) = &mut token.unlisted {
        unlisted.ask_again_at = microseconds(unlisted.ask_again_at);
    }
    token
}

fn microseconds(at: Timestamp) -> Timestamp {
    at.round(jiff::TimestampRound::new().smallest(Unit::Microsecond).mode(jiff::RoundMode::Trunc))
        .expect("truncating towards the epoch stays in range")
}
