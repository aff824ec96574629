//! The port to the record of events. Its laws are checked by `testing::event_conformance` on every implementation.

use async_trait::async_trait;
use ttm_kernel::StoreError;

use crate::{Appended, Event, EventPage, EventQuery};

/// Keeps events.
///
/// Laws:
/// 1. An acknowledged batch is listed, also after a crash, and every event of it as it was, its payload to the byte;
///    `stored + duplicates` is the batch's length.
/// 2. `append` stores all of a batch or nothing.
/// 3. `append` is idempotent: (id, time) is the identity, also inside one batch, and the first event wins.
/// 4. `list` gives the events that match the query, the newest first, those of one time by descending id, and no more
///    than the limit.
/// 5. Following `next` gives every event that was there when the first page was asked for, each once, whatever is
///    appended meanwhile.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Stores a batch.
    async fn append(&self, events: &[Event]) -> Result<Appended, StoreError>;

    /// Answers a query.
    async fn list(&self, query: &EventQuery) -> Result<EventPage, StoreError>;
}
