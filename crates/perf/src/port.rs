//! The port to the history of metrics. Its laws are checked by `testing::conformance` on every implementation.

use async_trait::async_trait;

use crate::{Point, RangeQuery, Sample, SeriesKey};

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Entries that are new.
    pub stored: u64,
    /// Entries whose identity was there already; the first one stays.
    pub duplicates: u64,
}

/// Keeps samples.
///
/// Laws:
/// 1. An acknowledged batch is returned by `range`, also after a crash; `stored + duplicates` is the batch's length.
/// 2. `append` stores all of a batch or nothing.
/// 3. `append` is idempotent: (series, time) is the identity, also inside one batch, and the first value wins.
/// 4. `range` gives one point per bucket that holds samples, ascending, computed by [`Fold`](crate::Fold); a bucket
///    starts at a multiple of the step since the Unix epoch, and a sample at `to` is outside.
/// 5. An unknown series has no points, which is not an error.
/// 6. Times are kept to the microsecond, values to the bit.
/// 7. `series` gives the known keys that start with a prefix, ascending, at most `limit`.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait MetricStore: Send + Sync {
    /// Stores a batch.
    async fn append(&self, samples: &[Sample]) -> Result<Appended, MetricStoreError>;

    /// Answers a query.
    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, MetricStoreError>;

    /// Which series there are.
    async fn series(&self, prefix: &str, limit: usize) -> Result<Vec<SeriesKey>, MetricStoreError>;

    /// Connections in use and at most, where the store has a pool of them. Never waits.
    fn connections(&self) -> Option<(u32, u32)> {
        None
    }
}

/// Why the store did not do it, as what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum MetricStoreError {
    /// Unreachable, busy, timed out: keep the batch and send it again.
    #[error("the metric store does not answer: {message}")]
    Transient {
        /// What happened, without addresses or secrets.
        message: String,
    },
    /// The store refuses this batch, and will again: split it, or drop and count it.
    #[error("the metric store refuses the data: {message}")]
    Rejected {
        /// What it said.
        message: String,
    },
    /// The store's content or schema is not what it must be: stop touching it, call a person.
    #[error("the metric store is unusable: {message}")]
    Corrupt {
        /// What is wrong.
        message: String,
    },
}
