//! The breaker that scoring lives by and the rate behind it, across restarts: what the process before left is restored at
//! the start, and every change is told and saved. Changes of other breakers are told, and those begin closed. Nobody waits for
//! that: a store that is away makes it late, and nothing else. It does not decide when a breaker changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use ttm_breaker::{Breaker, BreakerStore, State, StoredBreaker, StoredRate, Transition, TransitionReason};
use ttm_guard::{Guard, SavedRate};
use ttm_kernel::{FencingToken, Runtime, StoreError, within};

use super::events::EventLog;
use super::outbox::Waiting;
use super::settings::ServiceSettings;
use super::stores::StoreUse;
use super::writer::{STORE_DEADLINE, Sink, timed_out};
use crate::ports::Ports;

/// What the process before left of a breaker, and how long ago. One that cannot be loaded begins closed: better to ask an
/// API that is down a few times more than not to start.
async fn left(
    breaker: &Breaker,
    store: &dyn BreakerStore,
    runtime: &dyn Runtime,
) -> Option<(StoredBreaker, Duration)> {
    let stored = match within(runtime, runtime.now() + STORE_DEADLINE, store.load()).await {
        Ok(Ok(stored)) => stored,
        Ok(Err(error)) => return begin_closed(breaker, &error.to_string()),
        Err(_) => return begin_closed(breaker, &timed_out()),
    };
    // The others belong to a version that calls more, or called something else.
    let own = stored.into_iter().find(|stored| stored.name == breaker.name())?;
    // None when the wall clock was set back meanwhile: then the whole period is waited for once more.
    let elapsed = Duration::try_from(runtime.wall().duration_since(own.at)).unwrap_or(Duration::ZERO);
    Some((own, elapsed))
}

fn begin_closed<T>(breaker: &Breaker, error: &str) -> Option<T> {
    tracing::warn!(breaker = breaker.name(), error, "the breaker begins closed: its last state is not known");
    None
}

/// Logs, counts and records every transition that nobody has told yet, and has the new state saved.
/// `cause` is the last error of what is called, if there is one.
pub(super) fn tell_transitions(
    breaker: &Breaker,
    runtime: &dyn Runtime,
    outbox: &BreakerOutbox,
    cause: impl Fn() -> Option<String>,
) {
    while let Some(change) = breaker.poll_transition() {
        let cause = if change.to == State::Closed { None } else { cause() };
        tell(breaker.name(), &change, runtime, cause.as_deref());
        if change.suppressed.is_none() {
            outbox.events.breaker(breaker.name(), &change, cause.as_deref());
            outbox.put();
        }
    }
}

fn tell(breaker: &str, change: &Transition, runtime: &dyn Runtime, cause: Option<&str>) {
    let Transition { from, to, reason, .. } = *change;
    if let Some(by) = change.suppressed {
        tracing::warn!(breaker, state = %from, to = %to, reason = %reason, by = by.as_str(), "the breaker would have changed its state");
        return;
    }
    let retry_in_s = change.retry_at.map(|at| (at - runtime.now()).as_secs_f64().ceil());
    if reason == TransitionReason::Restored {
        tracing::warn!(breaker, to = %to, retry_in_s, "the breaker is as the process before left it");
    } else {
        tracing::warn!(breaker, from = %from, to = %to, reason = %reason, retry_in_s, cause, "the breaker changed its state");
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
}

/// At most one state waits: whether there is one is all there is to know.
#[async_trait]
impl Waiting<()> for BreakerOutbox {
    fn take(&self, _: usize) -> Vec<()> {
        // What changes from now on is to be saved again.
        if self.waiting.swap(false, Ordering::AcqRel) { vec![()] } else { Vec::new() }
    }

    fn settle(&self, _: usize) {}

    fn refuse(&self, _: usize) {}

    fn give_back(&self, _: Vec<()>) {
        self.put();
    }

    fn is_empty(&self) -> bool {
        !self.waiting.load(Ordering::Acquire)
    }

    fn lost(&self) -> u64 {
        0
    }

    async fn filled(&self) {
        self.filled.notified().await;
    }
}

/// Stores the state of the breaker, and of the rate behind it.
pub(super) struct BreakerSink {
    pub(super) guard: Arc<Guard>,
    store: Arc<dyn BreakerStore>,
    under: FencingToken,
    runtime: Arc<dyn Runtime>,
}

impl BreakerSink {
    /// The guard of the API that scoring lives by, with breaker and rate as the process before left them, and what saves
    /// both.
    pub(super) async fn restore(
        name: &'static str,
        settings: &ServiceSettings,
        ports: &Ports,
        under: FencingToken,
        runtime: &Arc<dyn Runtime>,
        events: &Arc<EventLog>,
    ) -> (Self, Arc<BreakerOutbox>) {
        let breaker = Arc::new(Breaker::new(name, settings.breaker.clone(), runtime.entropy("breaker")));
        let (config, retry) = (settings.guard.clone(), settings.retry.clone());
        let guard = Guard::new(config, breaker.clone(), retry, runtime.clone(), "guard");
        let (store, outbox) = (ports.breakers.clone(), BreakerOutbox::new(events.clone()));
        let left = left(&breaker, &*store, &**runtime).await;
        if let Some((own, elapsed)) = &left {
            breaker.restore(own.saved, *elapsed, runtime.now());
        }
        let (rate, elapsed) = left.map_or((None, Duration::ZERO), |(own, elapsed)| (own.rate, elapsed));
        let rate = rate.map_or_else(SavedRate::default, |StoredRate { share, paused_for }| SavedRate {
            share,
            paused_for,
        });
        guard.resume(rate, elapsed);
        tell_transitions(&breaker, &**runtime, &outbox, || None);
        let sink = Self { guard: Arc::new(guard), store, under, runtime: runtime.clone() };
        (sink, Arc::new(outbox))
    }
}

#[async_trait]
impl Sink<()> for BreakerSink {
    const USE: StoreUse = StoreUse::Breakers;
    const STORED: &'static str = "ttm_breaker_states_stored_total";
    const BATCH: usize = 1;
    /// Changes are rare, and a process that is killed right after one should not have forgotten it.
    const GATHER: Duration = Duration::ZERO;

    /// What is stored is the state at the time of the write, which is the newest.
    async fn store(&self, _: &[()]) -> Result<(), StoreError> {
        let breaker = self.guard.breaker();
        let stored = StoredBreaker {
            name: breaker.name().to_owned(),
            saved: breaker.save(self.runtime.now()),
            at: self.runtime.wall(),
            rate: self.guard.save().map(|SavedRate { share, paused_for }| StoredRate { share, paused_for }),
        };
        self.store.save(self.under, &[stored]).await
    }

    fn name((): &()) -> String {
        "the breaker".to_owned()
    }
}
