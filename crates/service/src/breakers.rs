//! The breaker that scoring depends on and the rate behind it, across restarts: what the process before left is restored at
//! the start, and every change is reported and saved. Changes of other breakers are reported, and those begin closed. No call
//! waits for that: a store that is away only delays it.

use std::sync::Arc;
use std::time::Duration;

use ttm_breaker::{Breaker, BreakerStore, State, StoredBreaker, StoredRate, Transition, TransitionReason};
use ttm_guard::{Guard, SavedRate};
use ttm_kernel::Runtime;

use crate::bounded::bounded;
use crate::events::EventLog;
use crate::life::Author;
use crate::outbox::{Flag, Outbox};
use crate::settings::{POOLS, ServiceSettings};

/// What the process before left of a breaker, and how long ago. One that cannot be loaded begins closed: better to ask an
/// API that is down a few times more than not to start.
async fn left(
    breaker: &Breaker,
    store: &dyn BreakerStore,
    runtime: &dyn Runtime,
) -> Option<(StoredBreaker, Duration)> {
    let stored = match bounded("loading the breakers", runtime, store.load()).await {
        Ok(stored) => stored,
        Err(error) => {
            let (breaker, error) = (breaker.name(), error.to_string());
            tracing::warn!(breaker, error, "cannot load the last breaker state; starting closed");
            return None;
        }
    };
    // The others belong to a version that calls more, or called something else.
    let own = stored.into_iter().find(|stored| stored.name == breaker.name())?;
    // None when the wall clock was set back meanwhile: then the whole period is waited for once more.
    let elapsed = Duration::try_from(runtime.wall().duration_since(own.at)).unwrap_or(Duration::ZERO);
    Some((own, elapsed))
}

/// Where changes of breakers are recorded, and that the state of the one that scoring depends on is to be saved. What is
/// saved is its state at the time of the write, which is the newest.
#[derive(Clone)]
pub(crate) struct BreakerLog {
    pub(crate) changed: Arc<Outbox<Flag>>,
    events: EventLog,
}

impl BreakerLog {
    /// Nothing to save yet.
    pub(crate) fn new(events: &EventLog) -> Self {
        Self { changed: Arc::new(Outbox::new(Flag::default())), events: events.by(Author::RESIDENT) }
    }

    /// Has the state saved; never waits.
    pub(crate) fn put(&self) {
        self.changed.put(Author::RESIDENT, [()]);
    }

    /// Logs, counts and records every transition that has not been reported yet, and has the new state saved. A breaker gives
    /// each of them once, so it counts whichever incarnation of a part has taken it. `cause` is the
    /// last error of what is called, if there is one.
    pub(crate) fn report(
        &self,
        breaker: &Breaker,
        runtime: &dyn Runtime,
        cause: impl Fn() -> Option<String>,
    ) {
        while let Some(change) = breaker.poll_transition() {
            let cause = if change.to == State::Closed { None } else { cause() };
            log(breaker.name(), &change, runtime, cause.as_deref());
            if change.suppressed.is_none() {
                self.events.breaker(breaker.name(), &change, cause.as_deref());
                self.put();
            }
        }
    }
}

/// The guard of the API that scoring depends on, with breaker and rate as the process before left them.
pub(crate) async fn restore(
    settings: &ServiceSettings,
    store: &dyn BreakerStore,
    clock: &Arc<dyn Runtime>,
    caller: &dyn Runtime,
    log: &BreakerLog,
) -> Arc<Guard> {
    let breaker = Arc::new(Breaker::new(POOLS, settings.breaker.clone(), clock.entropy("breaker")));
    let (config, retry) = (settings.guard.clone(), settings.retry.clone());
    let guard = Guard::new(config, breaker.clone(), retry, clock.clone(), "guard");
    let left = left(&breaker, store, caller).await;
    if let Some((own, elapsed)) = &left {
        breaker.restore(own.saved, *elapsed, clock.now());
    }
    let (rate, elapsed) = left.map_or((None, Duration::ZERO), |(own, elapsed)| (own.rate, elapsed));
    let rate = rate
        .map_or_else(SavedRate::default, |StoredRate { share, paused_for }| SavedRate { share, paused_for });
    guard.resume(rate, elapsed);
    log.report(&breaker, caller, || None);
    Arc::new(guard)
}

fn log(breaker: &str, change: &Transition, runtime: &dyn Runtime, cause: Option<&str>) {
    let Transition { from, to, reason, .. } = *change;
    if let Some(by) = change.suppressed {
        tracing::warn!(breaker, state = %from, to = %to, reason = %reason, by = by.as_str(), "breaker state would have changed");
        return;
    }
    let retry_in_s = change.retry_at.map(|at| (at - runtime.now()).as_secs_f64().ceil());
    if reason == TransitionReason::Restored {
        tracing::warn!(breaker, to = %to, retry_in_s, "restored breaker state");
    } else {
        tracing::warn!(breaker, from = %from, to = %to, reason = %reason, retry_in_s, cause, "breaker state changed");
    }
    metrics::counter!("ttm_breaker_transitions_total", "breaker" => breaker.to_owned(), "to" => to.as_str())
        .increment(1);
}
