//! The simulated record of events: keeps the port's laws under every fault, and counts for the oracles. Clones are
//! connections to one database.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex};
use ttm_kernel::StoreError;

use async_trait::async_trait;
use ttm_perf::{Appended, Event, EventCursor, EventPage, EventQuery, EventStore};

use super::store::Server;
use crate::executor::lock;
use crate::{FaultSchedule, SimRuntime};

/// The store.
#[derive(Clone, Debug)]
pub struct SimEventStore {
    server: Server,
    database: Arc<Mutex<Database>>,
}

#[derive(Debug, Default)]
struct Database {
    events: BTreeMap<EventCursor, Event>,
    /// Those that became durable since the ledger was last opened.
    since: Vec<Event>,
    ledger: EventLedger,
}

/// What the store knows of the events that it was sent by the present process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventLedger {
    /// Events of batches whose writer was told that they are stored.
    pub acknowledged: u64,
    /// Events of batches that were sent and have no answer yet.
    pub in_flight: u64,
}

impl SimEventStore {
    /// An empty store.
    pub fn new(runtime: &SimRuntime, faults: &Arc<FaultSchedule>) -> Self {
        Self { server: Server::new(runtime, faults), database: Arc::default() }
    }

    /// The counts as they are now.
    pub fn ledger(&self) -> EventLedger {
        lock(&self.database).ledger
    }

    /// Another process begins to write: what it sends is counted from zero.
    pub fn open_ledger(&self) {
        let mut database = lock(&self.database);
        database.ledger.acknowledged = 0;
        database.since.clear();
    }

    /// What became durable since the ledger was opened, in that order, without asking the server.
    pub fn durable(&self) -> Vec<Event> {
        lock(&self.database).since.clone()
    }
}

impl Database {
    fn commit(&mut self, events: &[Event]) -> Appended {
        let mut appended = Appended::default();
        for event in events {
            match self.events.entry(EventCursor::of(event)) {
                Entry::Occupied(_) => appended.duplicates += 1,
                Entry::Vacant(free) => {
                    free.insert(event.clone());
                    self.since.push(event.clone());
                    appended.stored += 1;
                }
            }
        }
        appended
    }
}

#[async_trait]
impl EventStore for SimEventStore {
    async fn append(&self, events: &[Event]) -> Result<Appended, StoreError> {
        let _flight = InFlight::of(self, events.len() as u64);
        let appended = self.server.write(|| lock(&self.database).commit(events)).await?;
        for event in events {
            let runtime = self.server.runtime();
            runtime.trace(format_args!("event {} {} {}", event.id(), event.kind(), event.subject()));
        }
        lock(&self.database).ledger.acknowledged += events.len() as u64;
        Ok(appended)
    }

    async fn list(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        self.server.read().await?;
        let database = lock(&self.database);
        let matching = database.events.values().rev().filter(|event| query.matches(event));
        Ok(EventPage::cut(matching.take(query.limit() + 1).cloned().collect(), query.limit()))
    }
}

/// Counts a batch as sent until it is answered or given up.
struct InFlight<'a> {
    store: &'a SimEventStore,
    events: u64,
}

impl<'a> InFlight<'a> {
    fn of(store: &'a SimEventStore, events: u64) -> Self {
        lock(&store.database).ledger.in_flight += events;
        Self { store, events }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        lock(&self.store.database).ledger.in_flight -= self.events;
    }
}
