//! The port to the store in which the state of breakers outlives the process. It does not know when that is worth saving,
//! nor what the next process makes of it.
//!
//! The laws are numbered; `testing::conformance` checks each of them against every implementation.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{FencingToken, StoreError};

use crate::Saved;

/// A saved breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredBreaker {
    /// Its name.
    pub name: String,
    /// The state for the next process.
    pub saved: Saved,
    /// The wall time of the save, from which its period counts: the only clock that two processes share.
    pub at: Timestamp,
    /// How fast its upstream was called; none if that was not limited.
    pub rate: Option<StoredRate>,
}

/// How fast the upstream of a breaker was called when the breaker was saved, relative to a rate that is not stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredRate {
    /// The share of the whole rate that might be used, above 0 and up to 1.
    pub share: f64,
    /// How much longer a pause lasted for which the upstream had asked.
    pub paused_for: Duration,
}

/// Keeps the state of breakers, so that a restart does not hammer an upstream that was down.
///
/// Laws:
/// 1. What `save` acknowledged is returned by `load`, also after a crash. Times and periods are kept to the microsecond,
///    and no period is made shorter.
/// 2. `save` stores all or nothing, and is idempotent. Of several states of one breaker the one that was saved last
///    counts, whatever its time.
/// 3. `save` under an epoch older than the newest claimed one stores nothing and returns
///    [`Fenced`](ttm_kernel::StoreErrorKind::Fenced) by the epoch. Epochs are claimed where the store's other writers claim
///    theirs.
/// 4. `save` leaves breakers that it is not given as they are.
/// 5. `load` returns every breaker once, in the order of the names.
/// 6. A row that no breaker can have written is [`Unexpected`](ttm_kernel::StoreErrorKind::Unexpected), which names
///    what is wrong with it.
/// 7. Once `save` has written under an incarnation, even if it was nothing, an older incarnation stores nothing under that
///    epoch and gets [`Fenced`](ttm_kernel::StoreErrorKind::Fenced) by the incarnation, after a restart too. A claim begins
///    again at incarnation zero, and the store's other writers are not concerned.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait BreakerStore: Send + Sync {
    /// All breakers.
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError>;

    /// Stores the new state of breakers.
    async fn save(&self, under: FencingToken, breakers: &[StoredBreaker]) -> Result<(), StoreError>;
}
