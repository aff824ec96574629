//! The port to the history of metrics. Its laws are checked by `testing::conformance` on every implementation.

use async_trait::async_trait;
use ttm_kernel::{Connections, StoreError};

use crate::{Point, RangeQuery, Sample, SeriesKey};

/// What appending a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Entries that were new.
    pub stored: u64,
    /// Entries whose identity was already stored; the first one stays.
    pub duplicates: u64,
}

/// Stores samples.
///
/// Laws:
/// 1. An acknowledged batch is returned by `range`, also after a crash; `stored + duplicates` is the batch's length.
/// 2. `append` stores all of a batch or nothing, also when its future is dropped, and no reader sees a part of it.
/// 3. `append` is idempotent: (series, time) is the identity, also inside one batch, and the first value wins.
/// 4. `range` returns one point per bucket that holds samples, ascending, computed by [`Fold`](crate::Fold). A bucket starts at
///    a multiple of the step since the Unix epoch, and a sample at `to` is excluded. Keys are compared to the byte.
/// 5. An unknown series has no points, which is not an error.
/// 6. Times are kept to the microsecond, values to the bit.
/// 7. `series` returns at most `limit` of the known keys that start with a prefix and sort after another key, known or not,
///    ascending.
/// 8. `close` closes the connections gracefully, so that everything acknowledged is in the store's own file, if it has one.
///    Later calls fail or reopen the store.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait MetricStore: Send + Sync {
    /// Stores a batch.
    async fn append(&self, samples: &[Sample]) -> Result<Appended, StoreError>;

    /// Answers a query.
    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, StoreError>;

    /// Lists the known series.
    async fn series(
        &self,
        prefix: &str,
        after: Option<SeriesKey>,
        limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError>;

    /// Closes the store's connections gracefully, including those of the event store beside it.
    async fn close(&self) {}

    /// How busy its connections are; `None` if the store has no pool. Never waits.
    fn connections(&self) -> Option<Connections> {
        None
    }
}
