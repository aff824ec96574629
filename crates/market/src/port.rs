//! The ports of the market: sources of pools and of new tokens, the store of tokens, and the readers' view of them.
//!
//! The laws are numbered; `testing::conformance` checks those of stores, lists and views against every implementation, and
//! the adapter's wire tests those of the API.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Connections, Epoch, FailureClass, FencingToken, StoreError};

use crate::{Listing, Mint, Origin, Pair, Skipped, Token, TokenPage, TokenQuery, TokenRow};

/// The API answers at most this many mints at once, and silently drops the rest.
pub const MAX_BATCH: usize = 30;

/// How many tokens one step of [`TokenStore::follow`] adds or removes at most.
pub const FOLLOW_STEP: usize = 5_000;

/// What one request brought: the usable pairs, in the order of the body, and the count of the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairBatch {
    /// Pairs whose base token was asked for.
    pub pairs: Vec<Pair>,
    /// Pairs that were left out, by reason.
    pub skipped: Skipped,
    /// Mints that were asked for and of which a pair was left out because it cannot be read, with what is wrong with it:
    /// `priceUsd "abc"`, bounded and without control characters. Others of the mint's pairs may be among the usable ones.
    pub unreadable: BTreeMap<Mint, Box<str>>,
}

/// A source of pools: the outside API.
///
/// Laws: (1) every pair's base is a mint that was asked for; (2) a mint without a pair was not found, which is not an
/// error; (3) one call is at most one request, and dropping the future abandons it; (4) nothing is retried or cached
/// inside: that is the caller's policy.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait PairSource: Send + Sync {
    /// The primary pool of each of up to [`MAX_BATCH`](crate::MAX_BATCH) unique mints.
    async fn primary_pairs(&self, mints: &[Mint]) -> Result<PairBatch, PairSourceError>;

    /// All pools of one mint (the API caps the list near 30).
    async fn all_pairs(&self, mint: Mint) -> Result<PairBatch, PairSourceError>;
}

/// The tokens whose projects have just described themselves to the outside API: most of them are new.
///
/// Laws: (1) every mint is one of the service's chain; (2) an entry that cannot be read is counted in the listing, and
/// costs no other; (3) and (4) as those of [`PairSource`].
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait ProfileSource: Send + Sync {
    /// The newest profiles, as many as the API lists at a time.
    async fn latest_profiles(&self) -> Result<Listing, PairSourceError>;
}

/// Why a source gave no answer, by what the caller does next.
///
/// Each is one sentence that a person can act on: "403, an HTML page: the API refuses this client".
#[derive(Debug, thiserror::Error)]
pub enum PairSourceError {
    /// Timeout, connection lost, 5xx: try again with backoff.
    #[error("{message}")]
    Transient {
        /// What happened, without addresses or secrets.
        message: String,
        /// The earliest time for a retry, if upstream gave one.
        retry_after: Option<Duration>,
        /// The adapter's own error.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// 429: every caller pauses.
    #[error("{message}: the API limits this client's rate")]
    RateLimited {
        /// What the answer said, without addresses or secrets.
        message: String,
        /// The earliest time for a retry, if upstream gave one.
        retry_after: Option<Duration>,
    },
    /// 401 or 403: the API refuses this client; retrying makes it worse.
    #[error("{message}: the API refuses this client")]
    Forbidden {
        /// What the answer said, without addresses or secrets.
        message: String,
    },
    /// 400 or 404: this request is wrong, and stays wrong.
    #[error("{message}: the API rejects the request")]
    Rejected {
        /// What the answer said, without addresses or secrets.
        message: String,
    },
    /// A body that is not what the API promises: counts as a failure, worth one more try.
    #[error("{message}: the answer cannot be used")]
    Malformed {
        /// What was wrong with it, without addresses or secrets.
        message: String,
    },
}

impl PairSourceError {
    /// What kind of answer it wants.
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Transient { .. } | Self::RateLimited { .. } => FailureClass::Transient,
            // A refused client is no breach: the API needs no credentials, and may let the client in again.
            Self::Forbidden { .. } | Self::Rejected { .. } | Self::Malformed { .. } => {
                FailureClass::Persistent
            }
        }
    }
}

/// What adding mints changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Newly stored.
    pub new: u64,
    /// Were archived, and are monitored again.
    pub revived: u64,
    /// Already there.
    pub known: u64,
}

/// What following a listing changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Listed and not stored before: now stored as monitored, and owned by the origin.
    pub added: u64,
    /// Owned by the origin and no longer listed: removed.
    pub removed: u64,
    /// Owned by the origin and still listed: unchanged.
    pub kept: u64,
    /// Listed, but added by hand or owned by another origin: unchanged.
    pub others: u64,
}

/// Stores the tokens.
///
/// A token was either added by hand or is owned by the origin whose listing brought it.
///
/// Laws:
/// 1. What `save` or `add` acknowledged is returned by `load`, exactly (times to the microsecond), also after a crash.
/// 2. `save` stores all or nothing, and is idempotent.
/// 3. `save` and `follow` under an epoch older than the newest claimed one store nothing and return
///    [`Fenced`](ttm_kernel::StoreErrorKind::Fenced) by the epoch; under a newer one
///    [`Corrupt`](ttm_kernel::StoreErrorKind::Corrupt), since the store is not the one that granted it.
/// 4. `save` never brings back a token that was removed.
/// 5. `add` leaves a known token as it is, except that an archived one becomes monitored; duplicates count once.
/// 6. `revision` grows whenever `add`, `remove` or a step of `follow` changed the set or revived a token, and stays the same
///    otherwise. Under an epoch newer than every claimed one it is [`Corrupt`](ttm_kernel::StoreErrorKind::Corrupt): the
///    store is not the one that granted it, and its content is not the result of an edit.
/// 7. `load` returns pages in the order of the mints; together they hold every token exactly once.
/// 8. `follow` makes the set of tokens that an origin owns equal to those that are listed and have no other owner: new ones
///    are monitored, those that are no longer listed are removed. It is idempotent. It works in steps of at most
///    [`FOLLOW_STEP`] tokens, each of them atomic and fenced, so that a long listing does not block other writers. All
///    additions come before the first removal. If it fails half way, the completed steps stay and the next call does the
///    rest.
/// 9. `follow` changes no token that it keeps: an archived one stays archived. It neither changes nor takes over tokens that
///    another origin owns or that were added by hand.
/// 10. `add` turns a token that an origin owns into one that was added by hand, so that it outlives the listing. `save` never
///     changes the owner. `remove` removes any token; if it is still listed, the next `follow` adds it as a new one.
/// 11. `claim` is for the process that holds the store's lease: the adapter knows the lease, and grants an epoch only while it
///     is valid. Otherwise `claim` fails as [`Transient`](ttm_kernel::StoreErrorKind::Transient) and fences off no writer.
///     `add` and `remove` need neither lease nor epoch: the command line uses them beside a running service.
/// 12. `close` closes the connections gracefully, so that everything acknowledged is in the store's own file, if it has one.
///     Later calls fail or reopen the store.
/// 13. `save` and `follow` are two writers. Once a call of one of them has succeeded under an incarnation, even with nothing
///     to write, calls under an older incarnation of the same epoch store nothing and return
///     [`Fenced`](ttm_kernel::StoreErrorKind::Fenced) by the incarnation, also after a restart. The other writer is not
///     affected, and after a claim both begin again at incarnation zero.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Claims the next epoch and fences off every older one. Only for the holder of the store's lease.
    async fn claim(&self) -> Result<Epoch, StoreError>;

    /// Up to `limit` tokens with mints greater than `after`.
    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, StoreError>;

    /// Stores the new state of tokens.
    async fn save(&self, under: FencingToken, tokens: &[Token]) -> Result<(), StoreError>;

    /// Adds mints as monitored tokens, first seen at `at`.
    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, StoreError>;

    /// Removes mints, and returns how many were stored.
    async fn remove(&self, mints: &[Mint]) -> Result<u64, StoreError>;

    /// Makes the tokens that `origin` owns equal to its listing; new ones were first seen at `at`.
    async fn follow(
        &self,
        under: FencingToken,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError>;

    /// The tokens that `origin` owns, in any order.
    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError>;

    /// A number that grows with every edit of the set of tokens, for a process that works under `epoch`.
    async fn revision(&self, epoch: Epoch) -> Result<u64, StoreError>;

    /// Closes the store's connections gracefully, including those of the breaker store beside it.
    async fn close(&self) {}

    /// How busy its connections are; `None` if the store has no pool. Never waits.
    fn connections(&self) -> Option<Connections> {
        None
    }
}

/// Looks at the tokens as last published by the work plane; never waits and never touches a store.
///
/// Laws: (1) pages follow the query's order and hold at most `limit` rows; (2) following `next` over an unchanged set
/// gives every matching token once; (3) a cursor is a place in the order: a page begins after it whether or not the token
/// that was there has moved or gone, so what does not move is given exactly once; (4) a cursor of another order gives an
/// empty last page.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait TokenView: Send + Sync {
    /// One page.
    fn page(&self, query: &TokenQuery) -> TokenPage;

    /// One token.
    fn get(&self, mint: &Mint) -> Option<TokenRow>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_api_is_of_a_class() {
        let (message, retry_after) = (|| "it failed".to_owned(), Some(Duration::from_secs(9)));
        for (error, class) in [
            (
                PairSourceError::Transient { message: message(), retry_after: None, source: None },
                FailureClass::Transient,
            ),
            (PairSourceError::RateLimited { message: message(), retry_after }, FailureClass::Transient),
            (PairSourceError::Forbidden { message: message() }, FailureClass::Persistent),
            (PairSourceError::Rejected { message: message() }, FailureClass::Persistent),
            (PairSourceError::Malformed { message: message() }, FailureClass::Persistent),
        ] {
            assert_eq!(error.class(), class, "{error:?}");
        }
    }
}
