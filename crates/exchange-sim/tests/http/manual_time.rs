//! A runtime with a manual clock, on tokio's tasks and sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use ttm_kernel::{BoxFuture, Clock, Entropy, Moment, Runtime, Task, TaskEnd};

pub(crate) struct ManualTime(watch::Sender<Moment>);

impl ManualTime {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Moment::ZERO)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

impl Clock for ManualTime {
    fn now(&self) -> Moment {
        *self.0.borrow()
    }

    fn wall(&self) -> Timestamp {
        let started = Timestamp::from_second(1_800_000_000).expect("a valid time");
        started + self.now().since_origin()
    }
}

impl Runtime for ManualTime {
    fn sleep_until(&self, at: Moment) -> BoxFuture<'static, ()> {
        let mut now = self.0.subscribe();
        Box::pin(async move {
            now.wait_for(|now| *now >= at).await.expect("the clock outlives the sleep");
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this is a runtime")]
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) -> Task {
        let running = tokio::spawn(task);
        let abort = running.abort_handle();
        let end = async { running.await.map_or(TaskEnd::Aborted, |()| TaskEnd::Finished) };
        Task::new(Box::new(move || abort.abort()), Box::pin(end))
    }

    fn entropy(&self, _stream: &'static str) -> Arc<dyn Entropy> {
        Arc::new(Counter(AtomicU64::new(0)))
    }
}

/// Entropy that is good enough for a latency.
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }
}
