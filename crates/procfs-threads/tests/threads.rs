//! Threads that spin, wait, and end, as the kernel shows them.

use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::TryRecvError;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use ttm_procfs_threads::ProcfsThreads;
use ttm_recovery::{ThreadFacts, ThreadSource};

fn threads() -> Vec<ThreadFacts> {
    ProcfsThreads.threads().expect("they can be read")
}

fn start(name: &str, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().name(name.to_owned()).spawn(body).expect("a thread starts")
}

/// Looks until a thread with this name is as expected.
fn until(name: &str, is_it: impl Fn(&ThreadFacts) -> bool) -> ThreadFacts {
    loop {
        if let Some(thread) = threads().into_iter().find(|thread| thread.name == name && is_it(thread)) {
            return thread;
        }
        thread::yield_now();
    }
}

/// What the calling thread has used of a processor by its own clock.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("a part of a second"))
}

#[test]
fn a_thread_that_spins_runs_and_uses_its_processor() {
    /// Ticks are coarse.
    const COARSE: Duration = Duration::from_millis(40);
    let (asked, asks) = mpsc::channel::<()>();
    let (answers, answered) = mpsc::channel();
    let spinning = start("spins (on) it", move || {
        loop {
            for _ in 0..100_000 {
                hint::spin_loop();
            }
            match asks.try_recv() {
                Ok(()) => answers.send(used()).expect("the test waits for it"),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
        }
    });
    let own = || {
        asked.send(()).expect("it spins");
        answered.recv().expect("it answers")
    };
    while own() < Duration::from_millis(200) {}
    let before = own();
    let seen = until("spins (on) it", |thread| thread.state == 'R');
    let after = own();
    assert!(seen.cpu + COARSE > before && seen.cpu < after + COARSE, "{before:?} {seen:?} {after:?}");
    assert_eq!(seen.waits_in, None);
    drop(asked);
    spinning.join().expect("it ends");
}

#[test]
fn a_thread_that_waits_sleeps_and_uses_nothing() {
    let (sender, receiver) = mpsc::channel::<()>();
    let waiting = start("waits", move || assert!(receiver.recv().is_err(), "nothing is sent"));
    let before = until("waits", |thread| thread.state == 'S');
    // Another one works meanwhile, so that a processor's time is not taken for everyone's.
    let worked = start("works", || {
        hint::black_box((0..20_000_000_u64).fold(0, |sum, n| hint::black_box(sum ^ n)));
    });
    worked.join().expect("it ends");
    let after = until("waits", |thread| thread.state == 'S');
    assert!(after.cpu < before.cpu + Duration::from_millis(30), "{before:?} {after:?}");
    drop(sender);
    waiting.join().expect("it ends");
}

#[test]
fn threads_come_and_go_while_they_are_looked_at() {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let churning = start("churns", move || {
        while !stopped.load(Ordering::Relaxed) {
            start("short-lived", || {}).join().expect("it ends");
        }
    });
    for _ in 0..500 {
        let threads = threads();
        assert!(threads.is_sorted_by(|one, next| one.id < next.id), "ascending, none twice: {threads:?}");
        assert!(threads.iter().any(|thread| thread.id == std::process::id()), "the first thread is there");
    }
    stop.store(true, Ordering::Relaxed);
    churning.join().expect("it ends");
    while threads().iter().any(|thread| thread.name == "short-lived") {
        thread::yield_now();
    }
}
