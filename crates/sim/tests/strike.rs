//! Faults of single tasks on the executor: an abort ends what hangs and not what spins, and what spins keeps a thread.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Clock, Moment, Runtime, Task, TaskEnd};
use ttm_service::Planes;
use ttm_sim::{Ailment, Executor, Plane, SimPlanes, SimRuntime, Struck};
use ttm_testkit::Recorder;

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn executor() -> (Executor, SimRuntime) {
    let executor = Executor::new(1, Timestamp::UNIX_EPOCH);
    let process = executor.runtime().boot(1);
    (executor, process)
}

/// A task that counts the seconds.
fn clock(runtime: &Arc<dyn Runtime>, name: &'static str) -> (Task, Arc<Recorder<u64>>) {
    let (ticks, clock) = (Arc::new(Recorder::default()), runtime.clone());
    let noted = ticks.clone();
    let body = async move {
        loop {
            noted.record(clock.now().since_origin().as_secs());
            clock.sleep_until(clock.now() + Duration::from_secs(1)).await;
        }
    };
    (runtime.spawn(name, Box::pin(body)), ticks)
}

fn watch(runtime: &SimRuntime, task: Task) -> Arc<Recorder<TaskEnd>> {
    let ends = Arc::new(Recorder::default());
    let noted = ends.clone();
    drop(runtime.spawn("watch", Box::pin(async move { noted.record(task.await) })));
    ends
}

fn is_over(executor: &Executor) -> Vec<bool> {
    executor.struck().iter().map(|Struck { over, .. }| over.is_some()).collect()
}

#[test]
fn what_hangs_does_nothing_until_it_is_aborted() {
    let (mut executor, process) = executor();
    let supervision = SimPlanes::new(&process).supervision();
    let (task, ticks) = clock(&supervision, "monitor");
    executor.run_until(at(10));
    ticks.take();
    executor.strike(&["monitor"], Ailment::Hangs, executor.now());
    executor.run_until(at(60));
    assert!(ticks.take().is_empty() && is_over(&executor) == [false]);
    task.abort();
    let ends = watch(&process, task);
    executor.run_until(at(61));
    assert_eq!((ends.take(), is_over(&executor)), (vec![TaskEnd::Aborted], vec![true]));
    let (_task, ticks) = clock(&supervision, "monitor");
    executor.run_until(at(70));
    assert_eq!(ticks.take().len(), 9, "the next one is well");
}

#[test]
fn what_starts_while_the_fault_lasts_hangs_too() {
    let (mut executor, process) = executor();
    let supervision = SimPlanes::new(&process).supervision();
    executor.strike(&["monitor"], Ailment::Hangs, at(30));
    let (_one, first) = clock(&supervision, "monitor");
    let (_two, other) = clock(&supervision, "api");
    executor.run_until(at(31));
    let (_three, later) = clock(&supervision, "monitor");
    executor.run_until(at(40));
    assert!(first.take().is_empty());
    assert_eq!((other.take().len(), later.take().len()), (40, 9));
}

#[test]
fn what_spins_is_ended_by_nothing_but_its_plane_is_left_behind() {
    let (mut executor, process) = executor();
    let planes = SimPlanes::new(&process);
    let work = planes.build_work().expect("a place");
    let (spinning, ticks) = clock(&work, "roster");
    let (_other, others) = clock(&work, "work");
    executor.run_until(at(10));
    drop((ticks.take(), others.take()));
    executor.strike(&["roster"], Ailment::Spins, executor.now());
    spinning.abort();
    let ends = watch(&process, spinning);
    executor.run_until(at(20));
    assert!(ends.take().is_empty() && ticks.take().is_empty());
    assert_eq!(others.take().len(), 10, "one of two threads is left");
    executor.strike(&["work"], Ailment::Spins, executor.now());
    let (_third, third) = clock(&work, "pulse");
    executor.run_until(at(30));
    assert!(third.take().is_empty(), "no thread is left");
    assert_eq!(executor.exhausted().iter().map(|each| each.place.plane).collect::<Vec<_>>(), [Plane::Work]);
    let anew = planes.build_work().expect("a place");
    let (_fourth, fourth) = clock(&anew, "pulse");
    executor.run_until(at(40));
    assert_eq!((fourth.take().len(), is_over(&executor)), (10, vec![true, true]));
    assert!(ends.take().is_empty(), "it still spins");
}

#[test]
fn what_panics_does_so_after_each_start_while_the_fault_lasts() {
    let (mut executor, process) = executor();
    let supervision = SimPlanes::new(&process).supervision();
    executor.strike(&["api"], Ailment::Panics, at(10));
    for start in [0, 5] {
        executor.run_until(at(start));
        let (task, _ticks) = clock(&supervision, "api");
        let ends = watch(&process, task);
        executor.run_until(at(start + 3));
        assert!(matches!(&ends.take()[..], [TaskEnd::Panicked(_)]));
    }
    executor.run_until(at(11));
    let (task, _ticks) = clock(&supervision, "api");
    let ends = watch(&process, task);
    executor.run_until(at(20));
    assert!(ends.take().is_empty());
}
