//! The breaker that scoring lives by, across restarts: what the process before left is restored at the start, and every
//! change is told and saved. Changes of other breakers are told, and those begin closed. Nobody waits for that: a store that is away makes it late, and nothing else. It does not decide when a breaker
//! changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use ttm_breaker::{Breaker, BreakerConfig, BreakerStore, StoredBreaker, Transition, TransitionReason};
use ttm_kernel::{Epoch, Runtime, StoreError, within};

use super::board::Board;
use super::events::EventLog;
use super::writer::{Drain, STORE_DEADLINE, Written, leave_alone, timed_out};
use crate::ports::Ports;

/// Brings a breaker to where the process before left it. One that cannot be loaded begins closed: better to ask an API
/// that is down a few times more than not to start.
async fn restore(breaker: &Breaker, store: &dyn BreakerStore, runtime: &dyn Runtime) {
    let stored = match within(runtime, runtime.now() + STORE_DEADLINE, store.load()).await {
        Ok(Ok(stored)) => stored,
        Ok(Err(error)) => return begin_closed(breaker, &error.to_string()),
        Err(_) => return begin_closed(breaker, &timed_out()),
    };
    // The others belong to a version that calls more, or called something else.
    let Some(own) = stored.into_iter().find(|stored| stored.name == breaker.name()) else { return };
    // None when the wall clock was set back meanwhile: then the whole period is waited for once more.
    let elapsed = Duration::try_from(runtime.wall().duration_since(own.at)).unwrap_or(Duration::ZERO);
    breaker.restore(own.saved, elapsed, runtime.now());
}

fn begin_closed(breaker: &Breaker, error: &str) {
    tracing::warn!(breaker = breaker.name(), error, "the breaker begins closed: its last state is not known");
}

/// Logs, counts and records every transition that nobody has told yet, and has the new state saved.
pub(super) fn tell_transitions(breaker: &Breaker, runtime: &dyn Runtime, outbox: &BreakerOutbox) {
    while let Some(change) = breaker.poll_transition() {
        tell(breaker.name(), &change, runtime);
        if change.suppressed.is_none() {
            outbox.events.breaker(breaker.name(), &change);
            outbox.put();
        }
    }
}

fn tell(breaker: &str, change: &Transition, runtime: &dyn Runtime) {
    let Transition { from, to, reason, .. } = *change;
    if let Some(by) = change.suppressed {
        tracing::warn!(breaker, state = %from, to = %to, reason = %reason, by = by.as_str(), "the breaker would have changed its state");
        return;
    }
    let retry_in_s = change.retry_at.map(|at| (at - runtime.now()).as_secs_f64().ceil());
    if reason == TransitionReason::Restored {
        tracing::warn!(breaker, to = %to, retry_in_s, "the breaker is as the process before left it");
    } else {
        tracing::warn!(breaker, from = %from, to = %to, reason = %reason, retry_in_s, "the breaker changed its state");
    }
    metrics::counter!("ttm_breaker_transitions_total", "breaker" => breaker.to_owned(), "to" => to.as_str())
        .increment(1);
}

/// Whether the breaker's state is to be saved. What is saved is its state at the time of the write, which is the newest.
pub(super) struct BreakerOutbox {
    waiting: AtomicBool,
    filled: Notify,
    /// Where the changes themselves are taken down.
    events: Arc<EventLog>,
}

impl BreakerOutbox {
    /// Nothing to save yet.
    pub(super) fn new(events: Arc<EventLog>) -> Self {
        Self { waiting: AtomicBool::new(false), filled: Notify::new(), events }
    }

    /// Has the state saved; never waits.
    pub(super) fn put(&self) {
        self.waiting.store(true, Ordering::Release);
        self.filled.notify_one();
    }

    /// Whether the state was to be saved; what changes from now on is to be saved again.
    fn take(&self) -> bool {
        self.waiting.swap(false, Ordering::AcqRel)
    }
}

/// Drains the breaker's state.
pub(super) struct BreakerDrain {
    pub(super) outbox: Arc<BreakerOutbox>,
    pub(super) breaker: Arc<Breaker>,
    store: Arc<dyn BreakerStore>,
    epoch: Epoch,
    runtime: Arc<dyn Runtime>,
    board: Arc<Board>,
}

impl BreakerDrain {
    /// A breaker as the process before left it, with what saves it.
    pub(super) async fn restore(
        name: &'static str,
        config: &BreakerConfig,
        ports: &Ports,
        epoch: Epoch,
        runtime: &Arc<dyn Runtime>,
        board: &Arc<Board>,
        events: &Arc<EventLog>,
    ) -> Self {
        let breaker = Breaker::new(name, config.clone(), runtime.entropy("breaker"));
        let (store, outbox) = (ports.breakers.clone(), BreakerOutbox::new(events.clone()));
        restore(&breaker, &*store, &**runtime).await;
        tell_transitions(&breaker, &**runtime, &outbox);
        Self {
            outbox: Arc::new(outbox),
            breaker: Arc::new(breaker),
            store,
            epoch,
            runtime: runtime.clone(),
            board: board.clone(),
        }
    }

    async fn save(&self) -> Result<(), StoreError> {
        let now = self.runtime.now();
        let stored = StoredBreaker {
            name: self.breaker.name().to_owned(),
            saved: self.breaker.save(now),
            at: self.runtime.wall(),
        };
        within(&*self.runtime, now + STORE_DEADLINE, self.store.save(self.epoch, &[stored]))
            .await
            .unwrap_or_else(|_| Err(StoreError::transient(timed_out())))
    }
}

#[async_trait]
impl Drain for BreakerDrain {
    /// Changes are rare, and a process that is killed right after one should not have forgotten it.
    const GATHER: Duration = Duration::ZERO;

    async fn filled(&self) {
        self.outbox.filled.notified().await;
    }

    fn is_empty(&self) -> bool {
        !self.outbox.waiting.load(Ordering::Acquire)
    }

    async fn write(&self) -> Written {
        if !self.outbox.take() {
            return Written::Done;
        }
        let Err(error) = self.save().await else {
            self.board.post_store_answered();
            tracing::debug!(breaker = self.breaker.name(), "the breaker's state is stored");
            return Written::Done;
        };
        match error {
            StoreError::Rejected { message } => {
                tracing::error!(
                    breaker = self.breaker.name(),
                    message,
                    "the store refuses this breaker; a restart will not know its state"
                );
                Written::Done
            }
            error => {
                self.board.post_store_failed(&error);
                self.outbox.put();
                match error {
                    StoreError::Transient { .. } => Written::Later,
                    StoreError::Fenced { .. } => Written::Fenced,
                    StoreError::Corrupt { .. } | StoreError::Rejected { .. } => leave_alone(&error),
                }
            }
        }
    }
}
