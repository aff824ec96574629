//! The simulated table of events: keeps the port's laws under every fault, and counts for the oracles. Clones are
//! connections to one database.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use ttm_kernel::StoreError;

use async_trait::async_trait;
use ttm_perf::{Appended, Event, EventCursor, EventPage, EventQuery, EventStore};

use super::held::Held;
use super::store::{Ledger, Server};
use crate::oracle::{EventLedger, Verdicts};
use crate::{FaultSchedule, SimRuntime, StoreTable};

/// The store.
#[derive(Clone, Debug)]
pub struct SimEventStore {
    server: Server,
    database: Arc<Mutex<Database>>,
}

#[derive(Debug, Default)]
struct Database {
    events: BTreeMap<EventCursor, Event>,
    /// The events that each process made durable.
    by_process: BTreeMap<u32, Vec<Event>>,
    /// Per process: the events in acknowledged batches, and in those that have no answer yet.
    sent: BTreeMap<u32, (u64, u64)>,
    /// Someone's store, which must do as this one does.
    held: Option<Held<dyn EventStore>>,
}

impl SimEventStore {
    /// An empty store.
    pub fn new(runtime: &SimRuntime, faults: &Arc<FaultSchedule>) -> Self {
        Self::beside(runtime, faults, &Ledger::default())
    }

    pub(super) fn beside(runtime: &SimRuntime, faults: &Arc<FaultSchedule>, ledger: &Ledger) -> Self {
        let server = Server::new(StoreTable::Events, runtime, faults, ledger);
        Self { server, database: Arc::default() }
    }

    /// The current counts of a process.
    pub fn ledger(&self, process: u32) -> EventLedger {
        let (acknowledged, in_flight) = self.database.lock().sent.get(&process).copied().unwrap_or_default();
        EventLedger { acknowledged, in_flight }
    }

    /// The events that a process made durable, in that order; bypasses the server and its faults.
    pub fn durable(&self, process: u32) -> Vec<Event> {
        self.database.lock().by_process.get(&process).cloned().unwrap_or_default()
    }

    /// Holds another store against this one, which has nothing yet.
    pub(super) fn hold(&self, store: Arc<dyn EventStore>, verdicts: &Arc<Verdicts>) {
        self.database.lock().held = Some(Held { store, verdicts: Arc::clone(verdicts) });
    }

    /// Whether the store that is held against it has what it should have.
    pub(super) fn judge_held(&self) {
        let database = self.database.lock();
        let Some(held) = &database.held else { return };
        held.judge_events(&database.events.values().rev().cloned().collect::<Vec<_>>());
    }
}

impl Database {
    fn commit(&mut self, process: u32, events: &[Event]) -> Appended {
        let mut appended = Appended::default();
        for event in events {
            match self.events.entry(EventCursor::of(event)) {
                Entry::Occupied(_) => appended.duplicates += 1,
                Entry::Vacant(free) => {
                    free.insert(event.clone());
                    self.by_process.entry(process).or_default().push(event.clone());
                    appended.stored += 1;
                }
            }
        }
        if let Some(held) = &self.held {
            held.expect("append of events", &appended, held.store.append(events));
        }
        appended
    }
}

#[async_trait]
impl EventStore for SimEventStore {
    async fn append(&self, events: &[Event]) -> Result<Appended, StoreError> {
        let flight = InFlight::of(self, events.len() as u64);
        events.iter().try_for_each(|event| self.server.accepts(event.subject()))?;
        let process = flight.process;
        let appended = self.server.write(|| self.database.lock().commit(process, events)).await?;
        for event in events {
            let runtime = self.server.runtime();
            runtime.trace(format_args!("event {} {} {}", event.id(), event.kind(), event.subject()));
        }
        flight.acknowledge();
        Ok(appended)
    }

    async fn list(&self, query: &EventQuery) -> Result<EventPage, StoreError> {
        self.server.read().await?;
        let database = self.database.lock();
        let matching = database.events.values().rev().filter(|event| query.matches(event));
        Ok(EventPage::cut(matching.take(query.limit() + 1).cloned().collect(), query.limit()))
    }
}

/// Counts a batch as in flight until it is answered or the caller drops it.
struct InFlight<'a> {
    store: &'a SimEventStore,
    process: u32,
    events: u64,
}

impl<'a> InFlight<'a> {
    fn of(store: &'a SimEventStore, events: u64) -> Self {
        let process = store.server.runtime().process();
        store.database.lock().sent.entry(process).or_default().1 += events;
        Self { store, process, events }
    }

    fn acknowledge(&self) {
        self.store.database.lock().sent.entry(self.process).or_default().0 += self.events;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.store.database.lock().sent.entry(self.process).or_default().1 -= self.events;
    }
}
