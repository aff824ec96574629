//! The breaker across a restart: what a service loads from its predecessor, and what it saves itself.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_breaker::testing::FakeBreakerStore;
use ttm_breaker::{BreakerStore, Saved, Snapshot, State, StoredBreaker};
use ttm_kernel::{Clock, FencingToken, Moment, Runtime, StoreError};
use ttm_service::{Board, Ended, Exit, Open, Ports, Supervisor};
use ttm_sim::oracle::Verdicts;
use ttm_sim::world::World;
use ttm_sim::{Executor, NoReaders, Plan, SimPlanes};
use ttm_testkit::Recorder;

const WALL: i64 = 1_800_000_000;
const MINUTE: Duration = Duration::from_mins(1);

/// A breaker that was saved at this second of the wall clock, open for another minute.
fn open(name: &str, second: i64) -> StoredBreaker {
    let saved = Saved { state: State::Open, open_for: MINUTE, failed_recoveries: 0 };
    let at = Timestamp::from_second(WALL + second).expect("in range");
    StoredBreaker { name: name.to_owned(), saved, at, since: None, rate: None }
}

/// Runs a service in a world with these faults until `stop`, and returns its breaker right after the start.
fn run(faults: &str, stop: Moment, breakers: impl BreakerStore + 'static) -> Vec<(Moment, Snapshot)> {
    let mut executor = Executor::new(1, Timestamp::from_second(WALL).expect("in range"));
    let runtime = executor.runtime().clone();
    let plan = Plan::new(1, Duration::ZERO, faults.parse().expect("a schedule"));
    let verdicts = Arc::new(Verdicts::new(runtime.clone()));
    // An even seed uses a lock file, which is released without the store.
    let world = World::new(2, 20, plan.promised, &runtime, &Arc::new(plan.faults), &verdicts);
    let ports = Ports { breakers: Arc::new(breakers), ..world.ports(0, false) };
    let (planes, lease) = (Arc::new(SimPlanes::new(&runtime)), world.lease(0, 1, &runtime));
    let (seen, clock) = (Arc::new(Recorder::default()), executor.runtime().clone());
    let started = seen.clone();
    let life = async move {
        let board = Board::starting(&plan.settings, &*planes);
        let supervisor = Supervisor::new(plan.settings, planes, board, lease, Arc::new(NoReaders));
        let figures = supervisor.figures();
        let open: Open<Infallible> = Box::new(|_| Box::pin(std::future::ready(Ok(ports))));
        let stopped = async {
            figures.started().await;
            started.record((clock.now(), figures.breaker().expect("it has started")));
            clock.sleep_until(stop).await;
            stop + MINUTE
        };
        let exit = supervisor.run(open, stopped).await;
        assert!(matches!(exit, Exit::Ended(Ended { failure: None, .. })), "{exit:?}");
    };
    drop(runtime.spawn("service", Box::pin(life)));
    // Timers may be a little late.
    executor.run_until(stop + MINUTE + Duration::from_millis(10));
    assert_eq!(runtime.live_tasks(), 0, "it stopped");
    seen.take()
}

/// A store with these breakers.
fn store(breakers: &[StoredBreaker]) -> FakeBreakerStore {
    let store = FakeBreakerStore::new();
    let mut executor = Executor::new(1, Timestamp::UNIX_EPOCH);
    let (writer, breakers) = (store.clone(), breakers.to_vec());
    let saves =
        async move { writer.save(FencingToken::first(writer.claim()), &breakers).await.expect("save works") };
    drop(executor.runtime().spawn("saves", Box::pin(saves)));
    executor.run_until(Moment::ZERO);
    store
}

/// The rest of the minute that was saved at this second, in seconds; `None` if a call may be made at once.
fn rest_of_a_minute_at(second: i64) -> Option<f64> {
    let seen = run("", Moment::ZERO, store(&[open("dexscreener", second)]));
    let [(now, breaker)] = seen[..] else { panic!("it started once: {seen:?}") };
    breaker.retry_at.map(|at| (at - now).as_secs_f64())
}

/// A store that never answers.
struct Hangs;

#[async_trait]
impl BreakerStore for Hangs {
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError> {
        std::future::pending().await
    }

    async fn save(&self, _: FencingToken, _: &[StoredBreaker]) -> Result<(), StoreError> {
        std::future::pending().await
    }
}

#[test]
fn the_time_between_two_processes_counts_unless_the_wall_clock_was_set_back() {
    let left = rest_of_a_minute_at(-20).expect("open");
    assert!((39.0..=40.0).contains(&left), "{left} s are left");
    // The start goes on for a moment after the breaker was restored.
    let left = rest_of_a_minute_at(3_600).expect("open");
    assert!((59.9..=60.0).contains(&left), "the wall clock was set back by an hour: {left} s");
    assert_eq!(rest_of_a_minute_at(-60), None, "the period is over, so a probe is allowed");
}

#[test]
fn a_breaker_with_another_name_is_left_unchanged() {
    let foreign = open("another", 0);
    let store = store(std::slice::from_ref(&foreign));
    let seen = run("", Moment::ZERO, store.clone());
    assert_eq!(seen[0].1.state, State::Closed);
    let stored = store.breakers();
    assert_eq!((stored.len(), &stored[0]), (2, &foreign));
    assert_eq!((&*stored[1].name, stored[1].saved.state), ("dexscreener", State::Closed));
}

#[test]
fn a_breaker_that_cannot_be_loaded_starts_closed_and_the_service_starts() {
    let store = store(&[open("dexscreener", 0)]);
    store.fail_with(|| StoreError::corrupt("malformed row"));
    assert_eq!(run("", Moment::ZERO, store)[0].1.state, State::Closed);
    let seen = run("", Moment::ZERO, Hangs);
    assert_eq!(seen[0].1.state, State::Closed);
    assert!(seen[0].0 < Moment::ZERO + Duration::from_secs(6), "a start that takes {:?}", seen[0].0);
}

#[test]
fn a_change_that_cannot_be_saved_is_saved_in_its_latest_state_once_the_store_is_back() {
    let store = store(&[]);
    let failing = FailsFirst { store: store.clone(), times: AtomicU32::new(3) };
    // It opens within seconds, and the process is ordered to stop before its minute is over.
    run("at 0s for 1h api-503", Moment::ZERO + MINUTE, failing);
    let stored = store.breakers();
    assert_eq!((stored.len(), stored[0].saved.state), (1, State::Open));
    assert!(stored[0].saved.open_for < MINUTE, "{stored:?}");
    assert!(store.saves() >= 3, "the first, the change, and the stop: {}", store.saves());
}

/// A store whose first saves fail.
struct FailsFirst {
    store: FakeBreakerStore,
    times: AtomicU32,
}

#[async_trait]
impl BreakerStore for FailsFirst {
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError> {
        self.store.load().await
    }

    async fn save(&self, under: FencingToken, breakers: &[StoredBreaker]) -> Result<(), StoreError> {
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        if self.times.fetch_update(set, fetch, |times| times.checked_sub(1)).is_ok() {
            return Err(StoreError::transient("busy"));
        }
        self.store.save(under, breakers).await
    }
}
