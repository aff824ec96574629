//! A list of mints in memory that obeys the laws of its port, and can be told to fail.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{Listing, Origin, TokenSource, TokenSourceError};

/// Lists what was [`put`](Self::put) in. Clones share their memory.
#[derive(Clone, Debug)]
pub struct FakeTokenSource {
    origin: Origin,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    entries: Vec<String>,
    calls: u64,
    failure: Option<Box<dyn Fn() -> TokenSourceError + Send>>,
}

impl FakeTokenSource {
    /// A source that lists nothing yet.
    pub fn new(origin: Origin) -> Self {
        Self { origin, inner: Arc::default() }
    }

    /// Lists these entries, in place of those before. Those that are no mint are left out of listings and counted.
    pub fn put(&self, entries: impl IntoIterator<Item = impl fmt::Display>) {
        self.lock().entries = entries.into_iter().map(|entry| entry.to_string()).collect();
    }

    /// Makes every call fail with what `error` gives, until [`heal`](Self::heal).
    pub fn fail_with(&self, error: impl Fn() -> TokenSourceError + Send + 'static) {
        self.lock().failure = Some(Box::new(error));
    }

    /// Lets calls work again.
    pub fn heal(&self) {
        self.lock().failure = None;
    }

    /// How many times it was asked.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("entries", &self.entries)
            .field("calls", &self.calls)
            .field("fails", &self.failure.is_some())
            .finish()
    }
}

#[async_trait]
impl TokenSource for FakeTokenSource {
    fn origin(&self) -> Origin {
        self.origin
    }

    async fn list(&self) -> Result<Listing, TokenSourceError> {
        let mut inner = self.lock();
        inner.calls += 1;
        if let Some(error) = &inner.failure {
            return Err(error());
        }
        let mut listing = Listing::default();
        for (number, entry) in (1..).zip(&inner.entries) {
            listing.take(number, entry);
        }
        Ok(listing)
    }
}
