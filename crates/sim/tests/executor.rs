//! The laws of the executor: those of the port `Runtime`, and those that make a failure reproducible.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use ttm_kernel::{Clock, Moment, Runtime, Task, TaskEnd, within};
use ttm_sim::{Executor, Plane, RunEnd, SimRuntime};
use ttm_testkit::Recorder;

fn executor(seed: u64) -> Executor {
    Executor::new(seed, Timestamp::UNIX_EPOCH)
}

fn at(millis: u64) -> Moment {
    Moment::from_origin(Duration::from_millis(millis))
}

fn spawn(runtime: &SimRuntime, task: impl Future<Output = ()> + Send + 'static) -> Task {
    runtime.spawn("test", Box::pin(task))
}

/// Records how a task ends.
fn watch(runtime: &SimRuntime, task: Task) -> Arc<Recorder<TaskEnd>> {
    let ends = Arc::new(Recorder::default());
    let noted = Arc::clone(&ends);
    drop(spawn(runtime, async move { noted.record(task.await) }));
    ends
}

/// Three tasks that take turns: the order of the turns, and the hash of the trace.
fn turns(seed: u64) -> (Vec<u32>, u64) {
    let mut executor = executor(seed);
    let order = Arc::new(Recorder::default());
    for number in 0..3 {
        let (runtime, order) = (executor.runtime().clone(), Arc::clone(&order));
        drop(spawn(executor.runtime(), async move {
            for turn in 1..20 {
                runtime.yields().await;
                order.record(number);
                runtime.sleep_until(at(turn)).await;
            }
        }));
    }
    assert_eq!(executor.run_until_idle(), RunEnd::Idle);
    (order.take(), executor.runtime().trace_hash())
}

#[test]
fn a_sleep_never_ends_early_and_a_past_one_ends_at_once() {
    let mut executor = executor(1);
    let woken = Arc::new(Recorder::default());
    for millis in [30, 10, 20, 10] {
        let (runtime, woken) = (executor.runtime().clone(), Arc::clone(&woken));
        drop(spawn(executor.runtime(), async move {
            runtime.sleep_until(at(millis)).await;
            woken.record((millis, runtime.now()));
            runtime.sleep_until(at(5)).await;
            woken.record((millis, runtime.now()));
        }));
    }
    assert_eq!(executor.run_until(at(9)), RunEnd::Reached);
    assert_eq!((woken.take(), executor.now()), (Vec::new(), at(9)));
    assert_eq!(executor.run_until_idle(), RunEnd::Idle);
    let woken = woken.take();
    assert_eq!(woken.len(), 8);
    let late = Duration::from_millis(2);
    let in_time = |(millis, now): &(u64, Moment)| (at(*millis)..=at(*millis) + late).contains(now);
    assert!(woken.iter().all(in_time), "{woken:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        assert_eq!(turns(seed), turns(seed));
    }
}

#[test]
fn different_seeds_explore_different_orders() {
    let mut orders: Vec<_> = (0..20).map(|seed| turns(seed).0).collect();
    orders.sort();
    orders.dedup();
    assert!(orders.len() > 15, "20 seeds found {} orders", orders.len());
}

#[test]
fn a_panic_ends_its_task_alone_and_is_reported_to_the_handle() {
    let mut executor = executor(1);
    let runtime = executor.runtime().clone();
    let boom = watch(&runtime, spawn(&runtime, async { panic!("boom {}", 7) }));
    let calm = watch(&runtime, spawn(&runtime, runtime.sleep_until(at(10))));
    executor.run_until_idle();
    assert_eq!(boom.take(), [TaskEnd::Panicked("boom 7".to_owned())]);
    assert_eq!(calm.take(), [TaskEnd::Finished]);
    assert!(runtime.last_events().iter().any(|line| line.contains("boom 7")));
}

#[test]
fn an_aborted_task_is_dropped_with_all_that_it_owns_when_it_would_next_run() {
    let mut executor = executor(1);
    let runtime = executor.runtime().clone();
    let owned = Arc::new(());
    let kept = Arc::clone(&owned);
    let task = spawn(&runtime, async move {
        std::future::pending::<()>().await;
        drop(kept);
    });
    assert_eq!(executor.run_until(at(1)), RunEnd::Deadlock);
    task.abort();
    let end = watch(&runtime, task);
    assert_eq!(executor.run_until(at(1)), RunEnd::Idle);
    assert_eq!((end.take(), Arc::strong_count(&owned)), (vec![TaskEnd::Aborted], 1));
}

#[test]
fn tasks_that_wait_for_ever_are_a_deadlock_and_one_that_spins_is_a_livelock() {
    let mut stuck = executor(1);
    drop(spawn(stuck.runtime(), std::future::pending()));
    assert_eq!(stuck.run_until(at(1)), RunEnd::Deadlock);

    let mut spinning = executor(1);
    let runtime = spinning.runtime().clone();
    drop(spawn(spinning.runtime(), async move {
        loop {
            runtime.yields().await;
            tokio::task::yield_now().await;
        }
    }));
    assert_eq!(spinning.run_until(at(1)), RunEnd::Livelock);
}

#[test]
fn a_kill_drops_every_task_and_those_that_are_spawned_meanwhile() {
    /// Spawns another task when it is dropped.
    struct SpawnsOnDrop(SimRuntime);
    impl Drop for SpawnsOnDrop {
        fn drop(&mut self) {
            drop(spawn(&self.0, std::future::pending()));
        }
    }

    let mut executor = executor(1);
    let runtime = executor.runtime().clone();
    for _ in 0..3 {
        let (guard, sleep) = (SpawnsOnDrop(runtime.clone()), runtime.sleep_until(at(1000)));
        drop(spawn(&runtime, async move {
            sleep.await;
            drop(guard);
        }));
    }
    executor.run_until(at(5));
    assert_eq!(runtime.live_tasks(), 3);
    executor.kill();
    assert_eq!(runtime.live_tasks(), 0);
    assert_eq!(executor.run_until(at(2000)), RunEnd::Idle);
    assert_eq!(executor.now(), at(2000));
}

#[test]
fn a_deadline_that_was_met_leaves_no_timer_behind() {
    let mut executor = executor(1);
    let runtime = executor.runtime().clone();
    drop(spawn(&runtime.clone(), async move {
        for step in 0..10_000 {
            let work = runtime.sleep_until(at(step));
            assert_eq!(within(&runtime, at(1_000_000), work).await, Ok(()));
        }
    }));
    assert_eq!(executor.run_until_idle(), RunEnd::Idle);
    assert!((at(9_999)..=at(10_001)).contains(&executor.now()), "{:?}", executor.now());
}

#[test]
fn a_step_of_the_wall_clock_leaves_the_monotonic_clock_alone() {
    let mut executor = executor(1);
    executor.run_until(at(5_000));
    executor.step_wall(SignedDuration::from_hours(-1));
    assert_eq!(executor.now(), at(5_000));
    assert_eq!(executor.wall(), Timestamp::from_second(5 - 3600).expect("in range"));
}

#[test]
fn streams_with_other_names_are_independent_and_equal_names_share_one() {
    let draw = |other: u32| {
        let executor = executor(3);
        let runtime = executor.runtime();
        for _ in 0..other {
            runtime.entropy("faults").next_u64();
        }
        [runtime.entropy("jitter").next_u64(), runtime.entropy("jitter").next_u64()]
    };
    assert_eq!(draw(0), draw(7));
    let [first, second] = draw(0);
    assert_ne!(first, second);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test is that these calls panic here")]
fn tokio_time_and_tasks_panic_on_the_executor() {
    let mut executor = executor(1);
    let runtime = executor.runtime().clone();
    let sleeps = spawn(&runtime, async { tokio::time::sleep(Duration::from_secs(1)).await });
    let spawns = spawn(&runtime, async { drop(tokio::spawn(std::future::ready(()))) });
    let (sleeps, spawns) = (watch(&runtime, sleeps), watch(&runtime, spawns));
    executor.run_until_idle();
    assert!(matches!(sleeps.take()[..], [TaskEnd::Panicked(_)]));
    assert!(matches!(spawns.take()[..], [TaskEnd::Panicked(_)]));
}

#[test]
fn tasks_may_share_state_in_a_mutex() {
    let mut executor = executor(9);
    let count = Arc::new(Mutex::new(0_u32));
    for _ in 0..100 {
        let (runtime, count) = (executor.runtime().clone(), Arc::clone(&count));
        drop(spawn(executor.runtime(), async move {
            runtime.yields().await;
            *count.lock() += 1;
        }));
    }
    assert_eq!(executor.run_until_idle(), RunEnd::Idle);
    assert_eq!(*count.lock(), 100);
}

#[test]
fn a_process_that_boots_has_a_clock_of_its_own() {
    let mut executor = executor(1);
    executor.run_until(at(5_000));
    let process = executor.runtime().boot(1);
    let woken = Arc::new(Recorder::default());
    let (inner, recorder) = (process.clone(), Arc::clone(&woken));
    drop(spawn(&process, async move {
        inner.sleep_until(at(100)).await;
        recorder.record(inner.now());
    }));
    assert_eq!(process.now(), Moment::ZERO);
    executor.run_until(at(6_000));
    assert_eq!(process.now(), at(1_000));
    let woken = woken.take();
    assert!(woken.len() == 1 && (at(100)..=at(102)).contains(&woken[0]), "{woken:?}");
    assert_eq!(process.wall(), executor.wall(), "the wall clock is shared");
}

#[test]
fn a_suspended_plane_runs_nothing_until_it_resumes_while_the_others_run() {
    let mut executor = executor(1);
    let process = executor.runtime().boot(1);
    let ticks = Arc::new(Recorder::default());
    for plane in [Plane::Work, Plane::Supervision] {
        let (runtime, ticks) = (process.on(plane), Arc::clone(&ticks));
        drop(spawn(&runtime.clone(), async move {
            for tick in 1..4 {
                runtime.sleep_until(at(1_000 * tick)).await;
                ticks.record((plane, runtime.now()));
            }
        }));
    }
    executor.run_until(at(500));
    executor.hold(1, Plane::Work, Duration::from_secs(4));
    executor.run_until(at(4_400));
    assert_eq!(ticks.take().iter().filter(|(plane, _)| *plane == Plane::Supervision).count(), 3);
    executor.run_until(at(4_600));
    let late: Vec<_> = ticks.take();
    assert_eq!(late, [(Plane::Work, at(4_500)); 3]);
}

#[test]
fn a_part_that_a_fault_ends_reports_its_end_like_any_other() {
    let mut executor = executor(1);
    let process = executor.runtime().boot(1);
    let end = watch(&process, spawn(&process, std::future::pending()));
    executor.run_until(at(1));
    assert!(executor.end_part(1, "test", &TaskEnd::Panicked("a fault".to_owned())));
    assert!(!executor.end_part(2, "test", &TaskEnd::Finished), "there is no such part");
    executor.run_until(at(2));
    assert_eq!(end.take(), [TaskEnd::Panicked("a fault".to_owned())]);
}
