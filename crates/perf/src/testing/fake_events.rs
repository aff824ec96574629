//! A record of events in memory that obeys every law of the port, and can be told to fail.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use ttm_kernel::StoreError;

use async_trait::async_trait;

use crate::{Appended, Event, EventCursor, EventPage, EventQuery, EventStore};

/// Keeps events in memory. Clones share it, so that a clone acts as the reopened store.
#[derive(Clone, Debug, Default)]
pub struct FakeEventStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    events: BTreeMap<EventCursor, Event>,
    failure: Option<Box<dyn Fn() -> StoreError + Send>>,
}

impl FakeEventStore {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every call fail with what `error` gives, until [`heal`](Self::heal).
    pub fn fail_with(&self, error: impl Fn() -> StoreError + Send + 'static) {
        self.lock().failure = Some(Box::new(error));
    }

    /// Lets calls work again; what was stored before is still there.
    pub fn heal(&self) {
        self.lock().failure = None;
    }

    /// Every event, the oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.values().cloned().collect()
    }

    /// The events for which this is true, the oldest first.
    pub fn events_where(&self, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        self.lock().events.values().filter(|event| wanted(event)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.lock();
        match &inner.failure {
            Some(error) => Err(error()),
            None => Ok(inner),
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("events", &self.events).field("fails", &self.failure.is_some()).finish()
    }
}

#[async_trait]
impl EventStore for FakeEventStore {
    async fn append(&self, events: &[Event]) -> Result<Appended, StoreError> {
        let mut inner = self.working()?;
        let mut appended = Appended::default();
        for event in events {
            match inner.events.entry(EventCursor::of(event)) {
                Entry::Occupied(_) => appended.duplicates += 1,
                Entry::Vacant(free) => {
                    free.insert(event.clone());
                    appended.stored += 1;
                }
            }
        }
        Ok(appended)
    }

    async fn list(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        let inner = self.working()?;
        let matching = inner.events.values().rev().filter(|event| query.matches(event));
        Ok(EventPage::cut(matching.take(query.limit() + 1).cloned().collect(), query.limit()))
    }
}
