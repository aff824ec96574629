//! The breakers and the rates behind them, across restarts: what the process before left is restored at the start, and every
//! change is reported and saved. No call waits for that: a store that is away only delays it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_breaker::{Breaker, BreakerStore, State, StoredBreaker, StoredRate, Transition, TransitionReason};
use ttm_guard::{Guard, GuardConfig, SavedRate};
use ttm_kernel::Runtime;

use crate::bounded::bounded;
use crate::events::EventLog;
use crate::life::Author;
use crate::outbox::{Flag, Outbox};
use crate::settings::{POOLS, ServiceSettings};
use crate::tally::Tally;

mod orders;

use orders::Orders;
#[cfg(test)]
pub(crate) use orders::STORED_WITHIN;

/// What the breaker of the profiles is called, which have a budget of their own.
pub(crate) const PROFILES: &str = "profiles";

/// What the process before left of its breakers. One that cannot be loaded begins closed: better to ask an API that is down
/// a few times more than not to start.
pub(crate) async fn left(store: &dyn BreakerStore, runtime: &dyn Runtime) -> Vec<StoredBreaker> {
    bounded("loading the breakers", runtime, store.load()).await.unwrap_or_else(|error| {
        let error = error.to_string();
        tracing::warn!(error, "cannot load the last breaker states; starting closed");
        Vec::new()
    })
}

/// The last change of a breaker, also one in a process before; if none is known, the start.
#[derive(Clone)]
pub(crate) struct Change {
    generation: u64,
    pub(crate) at: Timestamp,
    /// `None` if there was none in this process.
    pub(crate) reason: Option<TransitionReason>,
    pub(crate) cause: Option<String>,
}

/// Where changes of breakers are recorded, and that their states are to be saved. What is saved are the states at the time of
/// the write, which are the newest.
#[derive(Clone)]
pub(crate) struct BreakerLog {
    pub(crate) changed: Arc<Outbox<Flag>>,
    pub(crate) orders: Arc<Orders>,
    events: EventLog,
    tally: Arc<Tally>,
    last: Arc<Mutex<BTreeMap<String, Change>>>,
}

impl BreakerLog {
    /// Nothing to save yet.
    pub(crate) fn new(events: &EventLog, tally: &Arc<Tally>) -> Self {
        Self {
            changed: Arc::new(Outbox::new(Flag::default())),
            orders: Arc::new(Orders::new()),
            events: events.by(Author::RESIDENT),
            tally: tally.clone(),
            last: Arc::default(),
        }
    }

    /// The last change that was reported of this breaker.
    pub(crate) fn last_change(&self, breaker: &str) -> Option<Change> {
        self.last.lock().get(breaker).cloned()
    }

    /// Has the states saved; never waits.
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
            let own = change.to != State::Closed && change.reason != TransitionReason::Operator;
            let cause = own.then(&cause).flatten();
            log(breaker.name(), &change, runtime, cause.as_deref());
            if change.suppressed.is_none() {
                self.tally.count("api.breaker_transitions", &[breaker.name(), change.to.as_str()], 1);
                self.events.breaker(breaker.name(), &change, cause.as_deref());
                self.note(breaker.name(), &change, runtime, cause);
                self.put();
            }
        }
    }

    /// The breaker begins in a state that it has been in since then.
    fn began(&self, breaker: &str, since: Timestamp) {
        let mut last = self.last.lock();
        let new = Change { generation: 0, at: since, reason: None, cause: None };
        last.entry(breaker.to_owned()).or_insert(new).at = since;
    }

    fn note(&self, breaker: &str, change: &Transition, runtime: &dyn Runtime, cause: Option<String>) {
        let wall = runtime.wall();
        let at = wall.checked_sub(runtime.now() - change.at).unwrap_or(wall);
        self.change(
            breaker,
            Change { generation: change.generation, at, reason: Some(change.reason), cause },
        );
    }

    fn change(&self, breaker: &str, new: Change) {
        let mut last = self.last.lock();
        // Of two that are reported at once the newer one stays.
        if last.get(breaker).is_none_or(|known| known.generation <= new.generation) {
            last.insert(breaker.to_owned(), new);
        }
    }
}

/// What the guards of a service are made of.
pub(crate) struct Restore<'a> {
    pub(crate) settings: &'a ServiceSettings,
    pub(crate) clock: &'a Arc<dyn Runtime>,
    pub(crate) caller: &'a dyn Runtime,
    pub(crate) log: &'a BreakerLog,
    pub(crate) left: &'a [StoredBreaker],
}

impl Restore<'_> {
    /// The guard of the API that scoring depends on, with breaker and rate as the process before left them.
    pub(crate) fn pools(&self) -> Arc<Guard> {
        self.guard(POOLS, self.settings.guard.clone(), ["breaker", "guard"])
    }

    /// The same for the profiles.
    pub(crate) fn profiles(&self) -> Arc<Guard> {
        self.guard(PROFILES, self.settings.profiles.clone(), ["profiles breaker", "profiles guard"])
    }

    /// `entropy` names the streams of the breaker and of the guard.
    fn guard(&self, name: &'static str, config: GuardConfig, entropy: [&'static str; 2]) -> Arc<Guard> {
        let Self { settings, clock, caller, log, left } = *self;
        let breaker = Arc::new(Breaker::new(name, settings.breaker.clone(), clock.entropy(entropy[0])));
        let guard = Guard::new(config, breaker.clone(), settings.retry.clone(), clock.clone(), entropy[1]);
        // The others belong to a version that calls more, or called something else.
        let own = left.iter().find(|stored| stored.name == name);
        // None when the wall clock was set back meanwhile: then the whole period is waited for once more.
        let elapsed = own.map_or(Duration::ZERO, |own| {
            Duration::try_from(caller.wall().duration_since(own.at)).unwrap_or(Duration::ZERO)
        });
        let (now, wall) = (clock.now(), caller.wall());
        if let Some(own) = own {
            breaker.restore(own.saved, elapsed, now);
        }
        // Without a saved rate the process before may have asked just now.
        let rate = own.and_then(|own| own.rate).map_or_else(
            SavedRate::default,
            |StoredRate { share, paused_for }| SavedRate { share, paused_for },
        );
        guard.resume(rate, elapsed);
        log.report(&breaker, caller, || None);
        // What was restored is as it was before; but not what these settings begin otherwise.
        let is_as_before = |own: &&StoredBreaker| own.saved.state == breaker.snapshot(now).state;
        let since = own.filter(is_as_before).and_then(|own| own.since);
        log.began(name, since.map_or(wall, |since| since.min(wall)));
        Arc::new(guard)
    }
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
