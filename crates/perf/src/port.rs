//! The port to the history of metrics. Its laws are checked by `testing::conformance` on every implementation.

use async_trait::async_trait;
use ttm_kernel::StoreError;

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
/// 7. `series` gives the known keys that start with a prefix and come after another, known or not, ascending, at most
///    `limit`.
/// 8. `close` ends the connections in order, so that whatever was acknowledged is in the store's own file, if it has
///    one. Calls after it fail, or open the store again.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait MetricStore: Send + Sync {
    /// Stores a batch.
    async fn append(&self, samples: &[Sample]) -> Result<Appended, StoreError>;

    /// Answers a query.
    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, StoreError>;

    /// Which series there are.
    async fn series(
        &self,
        prefix: &str,
        after: Option<SeriesKey>,
        limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError>;

    /// Ends the store's connections in order, those of the events beside it too.
    async fn close(&self) {}

    /// Connections in use and at most, where the store has a pool of them. Never waits.
    fn connections(&self) -> Option<(u32, u32)> {
        None
    }
}
