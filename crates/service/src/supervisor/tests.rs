//! The life cycle of a service: what starts when, what happens when a part ends, and the order of a stop.

use std::convert::Infallible;

use parking_lot::Mutex;
use ttm_health::Phase;
use ttm_kernel::{BoxFuture, Clock as _, Incarnation};
use ttm_market::testing::FakeTokenStore;
use ttm_recovery::testing::{FakeRecoveryLedger, MockThreadSource};
use ttm_testkit::ManualRuntime;

use super::*;
use crate::life::{Author, Life};
use crate::parts::{OnStop, Progress, Runs, Start};
use crate::ports::Plane;
use crate::series::sample;
use crate::{Ports, fakes};

mod by_hand;
mod surface;
mod unread;
mod writers;

const SECOND: Duration = Duration::from_secs(1);

/// A log of what the parts of these tests did.
static DID: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn did(what: impl Into<String>) {
    DID.lock().push(what.into());
}

/// The tests share that log, so one runs at a time, and each starts with an empty log.
fn alone() -> parking_lot::MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock();
    DID.lock().clear();
    guard
}

fn part(name: &'static str, stage: Stage, start: fn(&Arc<Resident>, Life) -> BoxFuture<'static, ()>) -> Part {
    Part {
        name,
        plane: Plane::Work,
        critical: true,
        depends_on: &[],
        stage,
        on_stop: OnStop::Drain,
        progress: Progress::Looks,
        runs: Runs::Task(Start::Resident(start)),
    }
}

/// Runs until it is ordered to stop.
fn obeys(_: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        life.vital.gets_on_until(&life.stop).await;
        did(format!("{} stops", life.author.part));
    })
}

/// The first two incarnations end after a second; the third one keeps running.
fn ends_twice(_: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let incarnation = life.author.incarnation.number();
        did(format!("incarnation {incarnation} begins"));
        if incarnation < 2 {
            life.runtime.sleep_until(life.runtime.now() + SECOND).await;
        } else {
            life.stop.ordered().await;
        }
    })
}

fn panics(_: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        life.runtime.sleep_until(life.runtime.now() + SECOND).await;
        panic!("boom");
    })
}

/// Ignores every order.
fn hangs(_: &Arc<Resident>, _: Life) -> BoxFuture<'static, ()> {
    Box::pin(async {
        let _noted = Noted;
        std::future::pending::<()>().await;
    })
}

struct Noted;

impl Drop for Noted {
    fn drop(&mut self) {
        did("dropped");
    }
}

/// For so long, unless it ends before: less than the patience of a part.
const RUNS: Duration = Duration::from_secs(50);

/// Runs for a while, with ten seconds to stop; returns how it ended, and how long it took.
fn run(parts: Vec<Part>) -> (Ended, Duration) {
    let runtime = ManualRuntime::new(1);
    let supervisor = fakes::supervisor(&runtime, &fakes::board(&runtime)).with_parts(parts);
    let figures = supervisor.figures();
    let stop = async {
        figures.started().await;
        runtime.sleep_until(runtime.now() + RUNS).await;
        runtime.now() + 10 * SECOND
    };
    let begun = runtime.now();
    let exit: Exit<Infallible> =
        runtime.block_on(supervisor.run(fakes::open(fakes::ports(&FakeTokenStore::new())), stop));
    let Exit::Ended(ended) = exit else { panic!("it starts: {exit:?}") };
    (ended, runtime.now() - begun)
}

#[test]
fn a_stop_goes_through_its_stages_in_order() {
    let _alone = alone();
    // The table's order is that of the start.
    let parts = vec![
        part("surface", Stage::Surface, obeys),
        part("store", Stage::Store, obeys),
        part("work", Stage::Work, obeys),
    ];
    let (ended, took) = run(parts);
    assert_eq!((ended.failure, ended.stopped.in_time), (None, true));
    assert!(took < RUNS + SECOND, "{took:?}");
    assert_eq!(*DID.lock(), ["work stops", "store stops", "surface stops"]);
}

#[test]
fn a_critical_part_that_ends_whatever_is_done_ends_the_process_in_order() {
    let _alone = alone();
    let (ended, took) = run(vec![part("work", Stage::Work, panics), part("store", Stage::Store, obeys)]);
    let failure = ended.failure.expect("it is not ordered to stop");
    assert_eq!(failure, Failure::Recovery("work: it ended by itself: it panicked: boom".to_owned()));
    assert!(ended.stopped.in_time, "everything else stops as ordered");
    // Four times it runs for a second, with three backoffs in between.
    assert!((4 * SECOND..12 * SECOND).contains(&took), "{took:?}");
    assert_eq!(*DID.lock(), ["store stops"]);
}

#[test]
fn a_part_that_ends_is_started_again_under_its_next_incarnation() {
    let _alone = alone();
    let (ended, took) = run(vec![part("work", Stage::Work, ends_twice)]);
    assert_eq!((ended.failure, ended.stopped.in_time), (None, true));
    assert!(took >= RUNS, "{took:?}");
    assert_eq!(*DID.lock(), ["incarnation 0 begins", "incarnation 1 begins", "incarnation 2 begins"]);
}

#[test]
fn the_end_of_an_optional_part_ends_nothing_else() {
    let _alone = alone();
    let parts = vec![
        Part { critical: false, ..part("extra", Stage::Work, panics) },
        part("work", Stage::Work, obeys),
    ];
    let (ended, took) = run(parts);
    assert_eq!((ended.failure, ended.stopped.in_time), (None, true));
    assert!(took >= RUNS, "{took:?}");
    assert_eq!(*DID.lock(), ["work stops"]);
}

#[test]
fn a_part_that_ignores_the_order_is_dropped_at_the_deadline() {
    let _alone = alone();
    let (ended, took) = run(vec![part("work", Stage::Work, hangs)]);
    assert!(!ended.stopped.in_time && ended.failure.is_none());
    assert!(
        (RUNS + 6 * SECOND..=RUNS + 7 * SECOND).contains(&took),
        "the rest is reserved for storing: {took:?}"
    );
    assert_eq!(*DID.lock(), ["dropped"]);
}

#[test]
fn a_part_with_nothing_to_finish_is_dropped_at_once() {
    let _alone = alone();
    let (ended, took) = run(vec![Part { on_stop: OnStop::Abort, ..part("work", Stage::Work, hangs) }]);
    assert!(ended.stopped.in_time && took < RUNS + SECOND, "{took:?}");
    assert_eq!(*DID.lock(), ["dropped"]);
}

#[test]
fn dropping_the_service_drops_every_part() {
    let _alone = alone();
    let runtime = ManualRuntime::new(1);
    let parts = vec![part("work", Stage::Work, hangs), part("store", Stage::Store, hangs)];
    let supervisor = fakes::supervisor(&runtime, &fakes::board(&runtime)).with_parts(parts);
    let open = fakes::open(fakes::ports(&FakeTokenStore::new()));
    runtime.block_on(async {
        let running = supervisor.run(open, std::future::pending());
        let deadline = runtime.now() + 5 * SECOND;
        assert!(Box::pin(within(&runtime, deadline, running)).await.is_err(), "it keeps running");
        runtime.sleep_until(runtime.now() + SECOND).await;
    });
    assert_eq!(*DID.lock(), ["dropped", "dropped"]);
}

#[test]
fn an_order_to_stop_during_the_start_abandons_it() {
    let runtime = ManualRuntime::new(1);
    let supervisor = fakes::supervisor(&runtime, &fakes::board(&runtime));
    let figures = supervisor.figures();
    let clock = runtime.clone();
    let stop = async move {
        clock.sleep_until(clock.now() + 5 * SECOND).await;
        clock.now() + 30 * SECOND
    };
    let never: Open<Infallible> = Box::new(|_| Box::pin(std::future::pending()));
    let exit = runtime.block_on(supervisor.run(never, stop));
    assert!(matches!(exit, Exit::Abandoned), "{exit:?}");
    assert!(figures.breaker().is_none() && runtime.now().since_origin() < 6 * SECOND);
}

#[test]
fn the_whole_service_runs_and_stops_in_time() {
    let runtime = ManualRuntime::new(1);
    let board = fakes::board(&runtime);
    let tokens = FakeTokenStore::new();
    let exit = runtime.block_on(fakes::live_for_a_minute(&runtime, &board, fakes::ports(&tokens)));
    let Exit::Ended(Ended { failure: None, stopped }) = exit else { panic!("{exit:?}") };
    assert_eq!(
        stopped,
        Stopped { tokens_left: 0, samples_left: 0, events_left: 0, orders_left: 0, in_time: true }
    );
    assert_eq!(board.phase(), Phase::Stopping);
}

/// The table of the service with another implementation of the work.
fn with_work(start: fn(&Arc<Resident>, Life) -> BoxFuture<'static, ()>) -> Vec<Part> {
    let work = |part: Part| if part.name == "work" { self::part("work", Stage::Work, start) } else { part };
    PARTS.into_iter().map(work).collect()
}

#[test]
fn work_that_hangs_leaves_enough_time_to_store_its_results() {
    let _alone = alone();
    let (ended, took) = run(with_work(hangs));
    assert_eq!(
        ended.stopped,
        Stopped { tokens_left: 0, samples_left: 0, events_left: 0, orders_left: 0, in_time: false }
    );
    assert!(took < RUNS + 8 * SECOND, "{took:?}");
}

#[test]
fn a_stop_ends_in_time_whatever_hangs_and_however_short_its_deadline() {
    let _alone = alone();
    for stage in Stage::ALL {
        for lasts in [Duration::ZERO, Duration::from_millis(10), SECOND, 10 * SECOND, 30 * SECOND] {
            let runtime = ManualRuntime::new(1);
            let parts = vec![part("one", stage, hangs), part("other", Stage::Store, hangs)];
            let supervisor = fakes::supervisor(&runtime, &fakes::board(&runtime)).with_parts(parts);
            let figures = supervisor.figures();
            let stop = async {
                figures.started().await;
                runtime.now() + lasts
            };
            let open = fakes::open(fakes::ports(&FakeTokenStore::new()));
            let begun = runtime.now();
            let exit = runtime.block_on(supervisor.run(open, stop));
            assert!(matches!(exit, Exit::Ended(_)), "{exit:?}");
            let took = runtime.now() - begun;
            assert!(took <= lasts + 2 * AT_LEAST + SECOND / 100, "{stage:?}, {lasts:?}: {took:?}");
        }
    }
}

/// Ends right before the stop; its next incarnation stores what waits.
fn ends_before_the_stop(_: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if life.author.incarnation.number() == 0 {
            life.vital.got_on();
            life.runtime
                .sleep_until(life.runtime.now() + RUNS.saturating_sub(Duration::from_millis(10)))
                .await;
            panic!("boom");
        }
        life.stop.ordered().await;
        did("what waited is stored");
    })
}

#[test]
fn a_writer_that_is_about_to_be_started_again_is_not_missing_at_the_stop() {
    let _alone = alone();
    let (ended, _) = run(vec![part("store", Stage::Store, ends_before_the_stop)]);
    assert_eq!((ended.failure, ended.stopped.in_time), (None, true));
    assert_eq!(*DID.lock(), ["what waited is stored"]);
}

/// Ends when the stop has begun; its next incarnation stores what waits.
fn ends_in_the_stop(_: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if life.author.incarnation.number() == 0 {
            life.vital.got_on();
            life.runtime.sleep_until(life.runtime.now() + RUNS + Duration::from_millis(100)).await;
            panic!("boom");
        }
        life.stop.ordered().await;
        did("what waited is stored");
    })
}

/// Takes a second to stop.
fn takes_its_time(_: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        life.vital.gets_on_until(&life.stop).await;
        life.runtime.sleep_until(life.runtime.now() + SECOND).await;
    })
}

#[test]
fn a_writer_that_ends_while_the_work_stops_is_not_missing_afterwards() {
    let _alone = alone();
    let (ended, _) =
        run(vec![part("work", Stage::Work, takes_its_time), part("store", Stage::Store, ends_in_the_stop)]);
    assert_eq!((ended.failure, ended.stopped.in_time), (None, true));
    assert_eq!(*DID.lock(), ["what waited is stored"]);
}

#[test]
fn a_ledger_has_no_hole_whenever_the_stop_comes() {
    let _alone = alone();
    // The part is found stuck after its patience of a minute, at one of the looks around that.
    for millis in (59_900..62_000).step_by(70) {
        let runtime = ManualRuntime::new(1);
        let ledger = FakeRecoveryLedger::new();
        ledger.claim();
        let mut threads = MockThreadSource::new();
        threads.expect_threads().returning(|| Ok(Vec::new()));
        let ports = Ports {
            ledger: Arc::new(ledger.clone()),
            threads: Some(Arc::new(threads)),
            ..fakes::ports(&FakeTokenStore::new())
        };
        let table = vec![part("work", Stage::Work, hangs)];
        let supervisor = fakes::supervisor(&runtime, &fakes::board(&runtime)).with_parts(table);
        let figures = supervisor.figures();
        let stop = async {
            figures.started().await;
            runtime.sleep_until(runtime.now() + Duration::from_millis(millis)).await;
            runtime.now() + SECOND
        };
        let exit: Exit<Infallible> = runtime.block_on(supervisor.run(fakes::open(ports), stop));
        assert!(matches!(exit, Exit::Ended(_)), "{exit:?}");
        let entries = ledger.entries();
        let numbers: Vec<u64> = entries.iter().map(|entry| entry.key.number).collect();
        assert!(numbers.iter().copied().eq(0..entries.len() as u64), "{millis}: {numbers:?}");
        assert_eq!(entries.last().map(|entry| entry.fact.kind()), Some("closed"), "{millis}");
        let now = ttm_recovery::Now { moment: runtime.now(), wall: runtime.wall(), jitter: 0.0 };
        ttm_recovery::Past::replay(&entries, now).expect("the next process can go on from it");
    }
}

/// The first incarnation ends at once; the second one puts a sample into the outbox in the name of the first.
fn speaks_for_the_one_before(resident: &Arc<Resident>, life: Life) -> BoxFuture<'static, ()> {
    let resident = resident.clone();
    Box::pin(async move {
        if life.author.incarnation == Incarnation::FIRST {
            return;
        }
        let before = Author { incarnation: Incarnation::FIRST, ..life.author };
        for (by, whose) in [(before, "the one before"), (life.author, "this one")] {
            let produced = resident.samples.counts().produced;
            let instance = &resident.settings.instance;
            let sample = sample(instance, "tokens.per_minute", &[], life.runtime.wall(), 1.0);
            resident.samples.put(by, sample);
            did(format!("{} of {whose}", resident.samples.counts().produced - produced));
        }
        life.vital.gets_on_until(&life.stop).await;
    })
}

#[test]
fn what_an_incarnation_that_was_replaced_puts_in_is_refused() {
    let _alone = alone();
    run(vec![part("work", Stage::Work, speaks_for_the_one_before)]);
    assert_eq!(*DID.lock(), ["0 of the one before", "1 of this one"]);
}
