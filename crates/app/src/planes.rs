//! The planes on real threads: a multi-threaded runtime for the work and another for the adapters, and a current-thread one
//! on an OS thread of its own for supervision.
//!
//! A runtime that was replaced is told to shut down in the background: its stuck threads are left behind, and since only
//! adapters own sockets, none is lost with it.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use ttm_kernel::Runtime as RuntimePort;
use ttm_service::Planes;
use ttm_tokio_runtime::{TokioClock, TokioRuntime};

/// The runtimes of the process; dropping it gives the tasks that are left on each a second, then leaves them behind.
pub(crate) struct Threads {
    planes: Arc<Runtimes>,
    ended: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What [`Threads`] lends.
struct Runtimes {
    clock: TokioClock,
    supervision: Handle,
    io: Handle,
    owned: Mutex<Owned>,
}

/// What has to be shut down.
struct Owned {
    io: Option<Runtime>,
    work: Option<Runtime>,
}

/// How long tasks that are left at the end may take to notice.
const LAST_YIELD: Duration = Duration::from_secs(1);
/// Threads of the whole process, and a few more: it has about 12 with a database in a file.
const NEEDED: usize = 16;
/// Threads of a plane that has several.
const WORKERS: usize = 2;

impl Threads {
    /// Starts those of the supervision and of the adapters.
    pub(crate) fn start() -> io::Result<Self> {
        ensure_room()?;
        let clock = TokioClock::start();
        let io = multi_threaded("io")?;
        let supervision = Builder::new_current_thread().enable_all().build()?;
        let handle = supervision.handle().clone();
        let (ended, end) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("supervision".into()).spawn(move || {
            // The sender is dropped, never used: an error is the end, too.
            supervision.block_on(async { drop(end.await) });
            supervision.shutdown_timeout(LAST_YIELD);
        })?;
        let planes = Runtimes {
            clock,
            supervision: handle,
            io: io.handle().clone(),
            owned: Mutex::new(Owned { io: Some(io), work: None }),
        };
        Ok(Self { planes: Arc::new(planes), ended: Some(ended), thread: Some(thread) })
    }

    /// The planes on them, with one clock.
    pub(crate) fn planes(&self) -> Arc<dyn Planes> {
        self.planes.clone()
    }

    /// Leaves all behind, with whatever still runs on them: the process is about to end.
    pub(crate) fn leave(mut self) {
        for runtime in self.planes.take() {
            runtime.shutdown_background();
        }
        // The supervision thread goes with the process.
        std::mem::forget(self.ended.take());
        drop(self.thread.take());
    }

    /// Runs `future` on the calling thread, with the supervision plane's timers and sockets.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.planes.supervision.block_on(future)
    }
}

impl Runtimes {
    fn on(&self, handle: &Handle) -> Arc<dyn RuntimePort> {
        Arc::new(TokioRuntime::with_clock(handle.clone(), self.clock))
    }

    /// The work first: what it waits for on the other ends with it.
    fn take(&self) -> impl Iterator<Item = Runtime> + use<> {
        let mut owned = self.owned.lock();
        [owned.work.take(), owned.io.take()].into_iter().flatten()
    }
}

impl Planes for Runtimes {
    fn supervision(&self) -> Arc<dyn RuntimePort> {
        self.on(&self.supervision)
    }

    fn io(&self) -> Arc<dyn RuntimePort> {
        self.on(&self.io)
    }

    fn build_work(&self) -> io::Result<Arc<dyn RuntimePort>> {
        let work = multi_threaded("work")?;
        let plane = self.on(work.handle());
        let before = self.owned.lock().work.replace(work);
        if let Some(before) = before {
            before.shutdown_background();
        }
        Ok(plane)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        drop(self.ended.take());
        for runtime in self.planes.take() {
            runtime.shutdown_timeout(LAST_YIELD);
        }
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the hook; nothing is left to do with it.
            drop(thread.join());
        }
    }
}

/// Sees to it that the process may have as many threads as it needs, with those of a database: a runtime that cannot start
/// one of its own panics, and may then wait for it for ever.
fn ensure_room() -> io::Result<()> {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    std::thread::scope(|scope| {
        // Dropped on every way out, so that all of them end.
        let _release = release;
        for _ in 0..NEEDED {
            let waits = || {
                // It ends with an error, when the sender is gone.
                let _ = held.lock().recv();
            };
            std::thread::Builder::new().spawn_scoped(scope, waits).map_err(|error| {
                let message =
                    format!("expected room for {NEEDED} threads: {error}; raise TasksMax or ulimit -u");
                io::Error::new(error.kind(), message)
            })?;
        }
        Ok(())
    })
}

fn multi_threaded(name: &str) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(WORKERS).thread_name(name).enable_all().build()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use ttm_kernel::within;
    use ttm_service::run_on;

    use super::*;

    #[test]
    fn a_work_plane_whose_threads_all_spin_is_replaced_and_takes_nothing_along() {
        let threads = Threads::start().expect("threads");
        let (planes, over) = (threads.planes(), Arc::new(AtomicBool::new(false)));
        let stuck = planes.build_work().expect("threads");
        for _ in 0..WORKERS {
            let over = over.clone();
            drop(stuck.spawn(
                "spins",
                Box::pin(async move {
                    while !over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                }),
            ));
        }
        let (io, supervision) = (planes.io(), planes.supervision());
        threads.block_on(async {
            let deadline = supervision.now() + Duration::from_mins(1);
            let work = planes.build_work().expect("threads");
            let answer = run_on(&*work, async move { run_on(&*io, async { 42 }).await });
            assert_eq!(within(&*supervision, deadline, answer).await, Ok(42));
        });
        over.store(true, Ordering::Relaxed);
    }
}
