//! The port to the record of events. Its laws are checked by `testing::event_conformance` on every implementation.

use async_trait::async_trait;
use ttm_kernel::StoreError;

use crate::{Appended, Event, EventPage, EventQuery};

/// Stores events.
///
/// Laws:
/// 1. An acknowledged batch is listed, also after a crash, with every event unchanged, its payload to the byte;
///    `stored + duplicates` is the batch's length.
/// 2. `append` stores all of a batch or nothing, also when its future is dropped, and no reader sees a part of it.
/// 3. `append` is idempotent: (id, time) is the identity, also inside one batch, and the first event wins.
/// 4. `list` returns the events that match the query, the newest first, those at the same time by descending id, and no more
///    than the limit. Kinds and subjects are compared to the byte.
/// 5. Following `next` returns every event that was stored when the first page was requested, each once, whatever is appended
///    in the meantime.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Stores a batch.
    async fn append(&self, events: &[Event]) -> Result<Appended, StoreError>;

    /// Answers a query.
    async fn list(&self, query: &EventQuery) -> Result<EventPage, StoreError>;
}
