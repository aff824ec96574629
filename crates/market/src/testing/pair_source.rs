//! A source of pools with a script: answers what it was given, records what it was asked, and can be told to fail. It
//! knows no limits.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{MAX_BATCH, Mint, Pair, PairBatch, PairSource, PairSourceError, SkipReason};

/// Answers from what was [`put`](Self::put) in. Clones share their script and memory.
#[derive(Clone, Debug, Default)]
pub struct FakePairSource {
    inner: Arc<Mutex<Inner>>,
}

/// A request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairCall {
    /// A batch.
    Primary(Vec<Mint>),
    /// A full list.
    All(Mint),
}

#[derive(Default)]
struct Inner {
    pools: BTreeMap<Mint, Vec<Pair>>,
    calls: Vec<PairCall>,
    next: VecDeque<PairSourceError>,
    failure: Option<Box<dyn Fn() -> PairSourceError + Send>>,
}

impl FakePairSource {
    /// A source that knows no token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists the pools of a mint, in place of those before; those whose base is another token are left out of answers
    /// and counted, as an adapter does.
    pub fn put(&self, mint: Mint, pools: Vec<Pair>) {
        self.lock().pools.insert(mint, pools);
    }

    /// Delists a mint.
    pub fn delist(&self, mint: &Mint) {
        self.lock().pools.remove(mint);
    }

    /// Lets one call fail; several of them fail in this order, before any failure that lasts.
    pub fn fail_once(&self, error: PairSourceError) {
        self.lock().next.push_back(error);
    }

    /// Makes every call fail with what `error` gives, until [`heal`](Self::heal).
    pub fn fail_with(&self, error: impl Fn() -> PairSourceError + Send + 'static) {
        self.lock().failure = Some(Box::new(error));
    }

    /// Lets calls work again.
    pub fn heal(&self) {
        let mut inner = self.lock();
        inner.next.clear();
        inner.failure = None;
    }

    /// Every request so far, those that failed included.
    pub fn calls(&self) -> Vec<PairCall> {
        self.lock().calls.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, call: PairCall) -> Result<MutexGuard<'_, Inner>, PairSourceError> {
        let mut inner = self.lock();
        inner.calls.push(call);
        if let Some(error) = inner.next.pop_front() {
            return Err(error);
        }
        match &inner.failure {
            Some(error) => Err(error()),
            None => Ok(inner),
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("pools", &self.pools)
            .field("calls", &self.calls)
            .field("next", &self.next)
            .field("fails", &self.failure.is_some())
            .finish()
    }
}

#[async_trait]
impl PairSource for FakePairSource {
    async fn primary_pairs(&self, mints: &[Mint]) -> Result<PairBatch, PairSourceError> {
        let inner = self.asked(PairCall::Primary(mints.to_vec()))?;
        let primary = |mint: &Mint| {
            let own = inner.pools.get(mint)?.iter().filter(|pair| pair.base.mint == *mint);
            own.max_by(|a, b| a.liquidity_usd.unwrap_or(0.0).total_cmp(&b.liquidity_usd.unwrap_or(0.0)))
                .cloned()
        };
        Ok(PairBatch {
            pairs: mints.iter().take(MAX_BATCH).filter_map(primary).collect(),
            ..PairBatch::default()
        })
    }

    async fn all_pairs(&self, mint: Mint) -> Result<PairBatch, PairSourceError> {
        let inner = self.asked(PairCall::All(mint))?;
        let mut batch = PairBatch::default();
        for pair in inner.pools.get(&mint).into_iter().flatten() {
            if pair.base.mint == mint {
                batch.pairs.push(pair.clone());
            } else {
                batch.skipped.add(SkipReason::QuoteSide);
            }
        }
        Ok(batch)
    }
}
