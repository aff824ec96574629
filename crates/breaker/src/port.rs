//! The port to the store in which the state of breakers outlives the process. When that is
//! worth saving, and what the next process makes of it, is the caller's to say.
//!
//! The laws are numbered; `testing::conformance` checks each of them against every implementation.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{FencingToken, StoreError};

use crate::Saved;

/// The saved state of a breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredBreaker {
    /// Its name.
    pub name: String,
    /// What the next process restores.
    pub saved: Saved,
    /// The wall time of the save, from which the open period counts: the only clock that two processes share.
    pub at: Timestamp,
    /// Since when it is in this state, by the wall clock; `None` if the version that saved it did not say.
    pub since: Option<Timestamp>,
    /// How fast its upstream was called; `None` if that was not limited.
    pub rate: Option<StoredRate>,
}

/// How fast the upstream of a breaker was called when the breaker was saved, relative to a rate that is not stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredRate {
    /// The share of the full rate that could be used, above 0 and up to 1.
    pub share: f64,
    /// How much longer a pause lasted that the upstream had asked for.
    pub paused_for: Duration,
}

/// Stores the state of breakers, so that a restarted process does not hammer an upstream that is down.
///
/// Laws:
/// 1. What `save` acknowledged is returned by `load`, also after a crash. Times and periods are kept to the microsecond, and
///    no period is shortened.
/// 2. `save` stores all or nothing, and is idempotent. Of several states of one breaker the last one saved counts, whatever
///    its time.
/// 3. `save` under an epoch older than the newest claimed one stores nothing and returns
///    [`Fenced`](ttm_kernel::StoreErrorKind::Fenced) by the epoch. Epochs are claimed where the store's other writers claim
///    theirs.
/// 4. `save` does not change breakers that it is not given.
/// 5. `load` returns every breaker once, ordered by name.
/// 6. A row that no breaker can have written is [`Unexpected`](ttm_kernel::StoreErrorKind::Unexpected), and the error says
///    what is wrong with it.
/// 7. Once `save` has succeeded under an incarnation, even with nothing to write, `save` under an older incarnation of the
///    same epoch stores nothing and returns [`Fenced`](ttm_kernel::StoreErrorKind::Fenced) by the incarnation, also after a
///    restart. The store's other writers are not affected, and after a claim the first incarnation is zero again.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait BreakerStore: Send + Sync {
    /// All breakers.
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError>;

    /// Stores the new state of breakers.
    async fn save(&self, under: FencingToken, breakers: &[StoredBreaker]) -> Result<(), StoreError>;
}
