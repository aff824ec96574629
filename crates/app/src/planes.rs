//! The two planes on real threads: a multi-threaded runtime for the work, and a current-thread one on an OS thread of
//! its own for supervision. It knows nothing of what runs on them.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use ttm_tokio_runtime::{TokioClock, TokioRuntime};

use ttm_service::Planes;

/// The runtimes behind [`Planes`]; dropping it gives the tasks that are left a second, then leaves them behind.
pub(crate) struct Threads {
    work: Option<Runtime>,
    supervision: Handle,
    ended: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    clock: TokioClock,
}

/// How long tasks that are left at the end may take to notice.
const LAST_YIELD: Duration = Duration::from_secs(1);

impl Threads {
    /// Starts both.
    pub(crate) fn start() -> io::Result<Self> {
        let work = Builder::new_multi_thread().worker_threads(2).thread_name("work").enable_all().build()?;
        let supervision = Builder::new_current_thread().enable_all().build()?;
        let handle = supervision.handle().clone();
        let (ended, end) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("supervision".into()).spawn(move || {
            // The sender is dropped, never used: an error is the end, too.
            supervision.block_on(async { drop(end.await) });
            supervision.shutdown_timeout(LAST_YIELD);
        })?;
        Ok(Self {
            work: Some(work),
            supervision: handle,
            ended: Some(ended),
            thread: Some(thread),
            clock: TokioClock::start(),
        })
    }

    /// The ports on them, with one clock.
    pub(crate) fn planes(&self) -> Planes {
        let work = self.work.as_ref().expect("the runtime lives until the drop").handle().clone();
        Planes {
            work: Arc::new(TokioRuntime::with_clock(work, self.clock)),
            supervision: Arc::new(TokioRuntime::with_clock(self.supervision.clone(), self.clock)),
        }
    }

    /// Leaves both behind, with whatever still runs on them: the process is about to end.
    pub(crate) fn leave(mut self) {
        if let Some(work) = self.work.take() {
            work.shutdown_background();
        }
        // The supervision thread goes with the process.
        std::mem::forget(self.ended.take());
        drop(self.thread.take());
    }

    /// Runs `future` on the calling thread, with the supervision plane's timers and sockets.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.supervision.block_on(future)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(work) = self.work.take() {
            work.shutdown_timeout(LAST_YIELD);
        }
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the hook; nothing is left to do with it.
            drop(thread.join());
        }
    }
}
