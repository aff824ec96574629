//! How a writer handles every answer that a store can give.

use std::collections::VecDeque;

use parking_lot::Mutex;
use ttm_kernel::{Clock as _, Epoch, FencingToken, Incarnation, Runtime, Task};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::Vital;
use crate::fakes::{self, AUTHOR, ScriptedLease};
use crate::life::Author;
use crate::outbox::Fifo;
use crate::{Stop, StopOrder};

/// A store of numbers that gives the scripted answers, and then succeeds; it rejects 13.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    answers: VecDeque<StoreError>,
    calls: Vec<Moment>,
    stored: Vec<u32>,
}

struct NumberSink(Store, Arc<dyn Runtime>);

#[async_trait]
impl Sink<u32> for NumberSink {
    const USE: StoreUse = StoreUse::Samples;
    const STORED: &'static str = "test_stored_total";
    const BATCH: usize = 100;

    async fn store(&self, batch: &[u32]) -> Result<(), StoreError> {
        let mut content = self.0.0.lock();
        content.calls.push(self.1.now());
        if let Some(error) = content.answers.pop_front() {
            return Err(error);
        }
        if batch.contains(&13) {
            return Err(StoreError::rejected("13"));
        }
        content.stored.extend(batch);
        Ok(())
    }

    fn name(entry: &u32) -> String {
        entry.to_string()
    }
}

const FENCED: &str = "another process took over the store: epoch 3 is fenced off by epoch 4";

struct Scene {
    runtime: Arc<ManualRuntime>,
    store: Store,
    outbox: Arc<Outbox<Fifo<u32>>>,
    port: Arc<ScriptedLease>,
    board: Arc<Board>,
    lease: Arc<Lease>,
    order: StopOrder,
    stop: Stop,
    vital: Vital,
}

fn scene(answers: impl IntoIterator<Item = StoreError>) -> Scene {
    let runtime = Arc::new(ManualRuntime::new(1));
    let as_runtime: Arc<dyn Runtime> = runtime.clone();
    let store = Store::default();
    store.0.lock().answers.extend(answers);
    let port = Arc::new(ScriptedLease::new(true));
    let order = StopOrder::new();
    Scene {
        board: fakes::board(&runtime),
        lease: Arc::new(Lease::new(port.clone(), &as_runtime)),
        stop: order.listener(),
        vital: Vital::new(&as_runtime),
        outbox: Arc::new(Outbox::new(Fifo::new(1_000))),
        runtime,
        store,
        port,
        order,
    }
}

impl Scene {
    /// Starts a writer.
    fn start(&self, incarnation: Incarnation) -> Task {
        let runtime: Arc<dyn Runtime> = self.runtime.clone();
        let author = Author { part: "writer", incarnation };
        let life =
            Life { author, runtime: runtime.clone(), stop: self.stop.clone(), vital: self.vital.clone() };
        let backoff = fakes::settings().retry;
        let drain = Drain { life, board: self.board.clone(), lease: self.lease.clone(), backoff };
        let (outbox, sink) = (self.outbox.clone(), NumberSink(self.store.clone(), runtime));
        self.runtime.spawn("writer", Box::pin(async move { drain.run(&outbox, &sink).await }))
    }

    /// Runs a writer for this many seconds with these entries to store.
    fn run(&self, seconds: u64, entries: impl IntoIterator<Item = u32>) {
        self.outbox.put(AUTHOR, entries);
        let task = self.start(Incarnation::FIRST);
        self.wait(seconds);
        drop(task);
    }

    fn wait(&self, seconds: u64) {
        let until = self.runtime.now() + Duration::from_secs(seconds);
        self.runtime.block_on(self.runtime.sleep_until(until));
    }

    fn stored(&self) -> Vec<u32> {
        self.store.0.lock().stored.clone()
    }

    fn calls(&self) -> Vec<u64> {
        let content = self.store.0.lock();
        content.calls.iter().map(|at| (*at - Moment::ZERO).as_secs()).collect()
    }

    fn state(&self) -> ttm_health::StoreUseFacts {
        let facts = self.board.stores.facts(self.runtime.now());
        facts.into_iter().find(|each| each.name == "samples").expect("it was used")
    }
}

#[test]
fn a_store_that_recovers_gets_everything_in_order() {
    let full = || StoreError::transient("database or disk is full (SQLITE_FULL, 13)");
    let scene = scene((0..20).map(|_| full()));
    scene.run(5, 0..10);
    assert_eq!((scene.stored(), scene.state().answers), (vec![], Some(false)));
    scene.wait(600);
    assert_eq!(scene.stored(), (0..10).filter(|n| *n != 13).collect::<Vec<_>>());
    assert_eq!((scene.state().answers, scene.state().last_error), (Some(true), None));
    let counts = scene.outbox.counts();
    assert_eq!((counts.waiting, counts.in_flight, counts.dropped), (0, 0, 0));
}

#[test]
fn a_missing_table_is_retried_about_once_a_minute_and_not_given_up() {
    let missing = || StoreError::missing("relation \"sample\" does not exist").with_code("SQLSTATE 42P01");
    let scene = scene((0..4).map(|_| missing()));
    scene.run(300, 0..10);
    let calls = scene.calls();
    assert_eq!(calls.len(), 5, "{calls:?}");
    assert!(calls.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{calls:?}");
    assert_eq!((scene.stored().len(), scene.state().gave_up), (10, false));
}

#[test]
fn an_unexpected_error_loses_nothing_and_is_retried_about_once_a_minute() {
    let unknown = || StoreError::unexpected("no such column: epoch (SQLITE_ERROR, 1)");
    let scene = scene((0..2).map(|_| unknown()));
    scene.run(300, 0..10);
    let calls = scene.calls();
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert!(calls.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{calls:?}");
    assert_eq!((scene.stored().len(), scene.state().gave_up), (10, false));
}

#[test]
fn a_damaged_store_is_left_alone_and_reported_as_given_up() {
    let scene = scene([StoreError::corrupt("database disk image is malformed (SQLITE_CORRUPT, 11)")]);
    scene.run(3_600, 0..10);
    assert_eq!((scene.calls().len(), scene.stored().len()), (1, 0));
    assert!(scene.state().gave_up);
    assert_eq!(scene.outbox.counts().waiting, 10, "waiting entries are kept");
    scene.order.give(scene.runtime.now() + Duration::from_secs(30));
    scene.wait(1);
    assert_eq!(scene.calls().len(), 1, "the stop does not touch it either");
}

#[test]
fn a_store_that_another_use_found_damaged_is_left_alone() {
    let scene = scene([]);
    let error = StoreError::corrupt("database disk image is malformed (SQLITE_CORRUPT, 11)");
    let (board, now) = (&scene.board, scene.runtime.now());
    board.stores.failed(StoreUse::TokenReads, &error, now, scene.runtime.wall());
    scene.run(600, 0..10);
    assert_eq!((scene.calls().len(), scene.outbox.counts().waiting), (0, 10));
    assert!(scene.state().gave_up);
}

#[test]
fn an_entry_that_the_store_rejects_is_dropped_alone_and_counted() {
    let scene = scene([]);
    scene.run(5, 0..40);
    assert_eq!(scene.stored(), (0..40).filter(|n| *n != 13).collect::<Vec<_>>());
    let counts = scene.outbox.counts();
    assert_eq!((counts.waiting, counts.in_flight, counts.dropped), (0, 0, 1));
}

#[test]
fn a_writer_fenced_by_a_newer_epoch_ends_and_the_lease_is_lost() {
    let scene = scene([StoreError::fenced_by_epoch(Epoch::new(3), Epoch::new(4))]);
    scene.run(60, 0..10);
    assert_eq!((scene.calls().len(), scene.outbox.counts().waiting), (1, 10));
    assert_eq!(scene.lease.lost(), Some(FENCED));
    assert!(!scene.lease.holds());
}

#[test]
fn a_writer_fenced_by_a_newer_incarnation_ends_and_the_lease_is_kept() {
    let older = FencingToken::first(Epoch::new(3));
    let scene = scene([StoreError::fenced_by_incarnation(older, Incarnation::new(1))]);
    scene.run(60, 0..10);
    assert_eq!((scene.calls().len(), scene.outbox.counts().waiting), (1, 10));
    assert_eq!(scene.lease.lost(), None);
    assert!(scene.lease.holds());
}

#[test]
fn once_one_writer_is_fenced_the_others_stop_at_once_without_writing() {
    let scene = scene([]);
    scene.lease.fenced(&StoreError::fenced_by_epoch(Epoch::new(3), Epoch::new(4)));
    scene.outbox.put(AUTHOR, 0..10);
    let task = scene.start(Incarnation::FIRST);
    scene.order.give(scene.runtime.now() + Duration::from_secs(30));
    let begun = scene.runtime.now();
    assert_eq!(scene.runtime.block_on(task), ttm_kernel::TaskEnd::Finished);
    assert!(scene.runtime.now() - begun < Duration::from_secs(2), "{:?}", scene.runtime.now() - begun);
    assert_eq!((scene.calls().len(), scene.outbox.counts().waiting), (0, 10));
}

#[test]
fn nothing_is_written_while_the_lease_does_not_stand() {
    let scene = scene([]);
    *scene.port.stands.lock() = false;
    scene.run(60, 0..10);
    assert_eq!(scene.calls(), Vec::<u64>::new());
    let waits = scene.vital.signs().waits.expect("it says what it waits for");
    assert_eq!(waits.on, LEASE, "the store is there");
    *scene.port.stands.lock() = true;
    scene.wait(1);
    assert_eq!(scene.stored().len(), 10);
}

/// A store that takes a minute for every call.
struct Hanging(Arc<ManualRuntime>);

#[async_trait]
impl Sink<u32> for Hanging {
    const USE: StoreUse = StoreUse::Samples;
    const STORED: &'static str = "test_stored_total";
    const BATCH: usize = 100;

    async fn store(&self, _: &[u32]) -> Result<(), StoreError> {
        self.0.sleep_until(self.0.now() + Duration::from_mins(1)).await;
        Ok(())
    }

    fn name(entry: &u32) -> String {
        entry.to_string()
    }
}

#[test]
fn a_batch_in_flight_when_its_writer_is_dropped_is_stored_by_the_next_one() {
    let scene = scene([]);
    let runtime: Arc<dyn Runtime> = scene.runtime.clone();
    scene.outbox.put(AUTHOR, 0..10);
    let author = Author { part: "writer", incarnation: Incarnation::FIRST };
    let vital = Vital::new(&runtime);
    let life = Life { author, runtime, stop: scene.stop.clone(), vital };
    let backoff = fakes::settings().retry;
    let drain = Drain { life, board: scene.board.clone(), lease: scene.lease.clone(), backoff };
    let (outbox, sink) = (scene.outbox.clone(), Hanging(scene.runtime.clone()));
    let lost = scene.runtime.spawn("writer", Box::pin(async move { drain.run(&outbox, &sink).await }));
    scene.wait(2);
    assert_eq!(scene.outbox.counts().in_flight, 10, "it waits for the store");
    lost.abort();
    let next = scene.start(Incarnation::FIRST.next());
    scene.wait(2);
    assert_eq!(scene.stored(), (0..10).collect::<Vec<_>>());
    assert_eq!(scene.outbox.counts().left(), 0);
    drop(next);
}

#[test]
fn an_older_writer_ends_by_itself_once_a_newer_one_has_started() {
    let scene = scene([]);
    let older = scene.start(Incarnation::FIRST);
    scene.wait(1);
    let newer = scene.start(Incarnation::FIRST.next());
    scene.outbox.put(AUTHOR, 0..10);
    assert_eq!(scene.runtime.block_on(older), ttm_kernel::TaskEnd::Finished);
    scene.outbox.put(AUTHOR, 20..30);
    scene.wait(5);
    assert_eq!(scene.stored(), (0..10).chain(20..30).collect::<Vec<_>>());
    drop(newer);
}
