//! A token store in memory that obeys every law of the port, and can be told to fail.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{Timestamp, Unit};
use ttm_kernel::{Epoch, FencingToken, StoreError, StoreLease};

use crate::memory::TokenTable;
use crate::{Added, Basis, Followed, Mint, Origin, Token, TokenStore};

/// Remembers tokens. Clones share their memory, so that a clone is what a reopened store would be.
#[derive(Clone, Default)]
pub struct FakeTokenStore {
    inner: Arc<Mutex<Inner>>,
    lease: Option<Arc<dyn StoreLease>>,
}

#[derive(Default)]
struct Inner {
    table: TokenTable,
    saves: u64,
    failure: Option<Box<dyn Fn() -> StoreError + Send>>,
}

impl FakeTokenStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same memory for a process with this lease. Without one, the fake takes each caller for its only user.
    #[must_use]
    pub fn with_lease(&self, lease: Arc<dyn StoreLease>) -> Self {
        Self { inner: self.inner.clone(), lease: Some(lease) }
    }

    /// Makes every call fail with what `error` gives, until [`heal`](Self::heal).
    pub fn fail_with(&self, error: impl Fn() -> StoreError + Send + 'static) {
        self.lock().failure = Some(Box::new(error));
    }

    /// Lets calls work again; what was stored before is still there.
    pub fn heal(&self) {
        self.lock().failure = None;
    }

    /// The newest epoch that was claimed.
    pub fn newest(&self) -> Epoch {
        self.lock().table.newest()
    }

    /// What is stored now, to be put back later.
    pub fn copy(&self) -> TokenTable {
        self.lock().table.clone()
    }

    /// Puts a copy in place of everything that was stored since.
    pub fn restore(&self, copy: TokenTable) {
        self.lock().table = copy;
    }

    /// Every token, in the order of the mints.
    pub fn tokens(&self) -> Vec<Token> {
        self.lock().table.tokens()
    }

    /// How many saves were acknowledged.
    pub fn saves(&self) -> u64 {
        self.lock().saves
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.lock();
        match &inner.failure {
            Some(error) => Err(error()),
            None => Ok(inner),
        }
    }
}

impl fmt::Debug for FakeTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeTokenStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("table", &self.table)
            .field("fails", &self.failure.is_some())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenStore for FakeTokenStore {
    async fn claim(&self) -> Result<Epoch, StoreError> {
        let mut inner = self.working()?;
        if self.lease.as_ref().is_some_and(|lease| !lease.stands()) {
            return Err(StoreError::transient("this process does not hold the lease on the store"));
        }
        Ok(inner.table.claim())
    }

    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, StoreError> {
        Ok(self.working()?.table.load(after, limit))
    }

    async fn save(&self, under: FencingToken, tokens: &[Token]) -> Result<(), StoreError> {
        let mut inner = self.working()?;
        let tokens: Vec<Token> = tokens.iter().cloned().map(to_microseconds).collect();
        inner.table.save(under, &tokens)?;
        inner.saves += 1;
        Ok(())
    }

    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, StoreError> {
        Ok(self.working()?.table.add(mints, microseconds(at)))
    }

    async fn remove(&self, mints: &[Mint]) -> Result<u64, StoreError> {
        Ok(self.working()?.table.remove(mints))
    }

    async fn follow(
        &self,
        under: FencingToken,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError> {
        self.working()?.table.follow(under, origin, mints, microseconds(at))
    }

    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError> {
        Ok(self.working()?.table.owned(origin).collect())
    }

    async fn revision(&self, epoch: Epoch) -> Result<u64, StoreError> {
        self.working()?.table.revision(epoch)
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
