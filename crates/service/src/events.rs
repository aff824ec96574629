//! What happened, on its way to the record: makes the events, and keeps them until they are stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use ttm_alert::{Transition as Turned, Turn};
use ttm_breaker::{State, Transition};
use ttm_kernel::{Entropy, Epoch, FailureClass, Runtime, Severity};
use ttm_market::{MarketEvent, Mint, Origin, PoolsSeen};
use ttm_perf::{ControlChange, Controlled, Event, EventId};
use ttm_recovery::{Entry, Fact, Outcome, Step};

use crate::life::Author;
use crate::outbox::{EventOutbox, Fifo, OutboxCounts};
use crate::settings::POOLS;

mod kind;

pub use kind::KINDS;
use kind::Kind;

/// Events that may wait for the store before the oldest are given up: most are below a kilobyte. The bound is their own,
/// so that samples, of which there are a thousand times as many, push none of them out.
const CAPACITY: usize = 10_000;
/// What is wrong with a list is cut to this many characters.
const LONGEST_PROBLEM: usize = 2_000;
/// Names that others chose are cut to this many characters.
const LONGEST_NAME: usize = 100;

/// Records what happens. An event's id is drawn once, so that it is the same event however often it is sent.
#[derive(Clone)]
pub(crate) struct EventLog {
    pub(crate) outbox: Arc<EventOutbox>,
    ids: Arc<dyn Entropy>,
    clock: Arc<dyn Runtime>,
    author: Author,
}

impl EventLog {
    /// A log with nothing in it, for the start and the stop.
    pub(crate) fn new(clock: &Arc<dyn Runtime>) -> Self {
        let (outbox, ids) = (Arc::new(EventOutbox::new(Fifo::new(CAPACITY))), clock.entropy("events"));
        Self { outbox, ids, clock: clock.clone(), author: Author::RESIDENT }
    }

    /// The same log, for this author.
    pub(crate) fn by(&self, author: Author) -> Self {
        Self { author, ..self.clone() }
    }

    /// The service has started.
    pub(crate) fn started(&self, epoch: Epoch, tokens: usize) {
        let payload =
            json!({"epoch": epoch.number(), "tokens": tokens, "version": env!("CARGO_PKG_VERSION")});
        self.put(Kind::ServiceStarted, "service", Severity::Info, &payload);
    }

    fn put(&self, kind: Kind, subject: &str, severity: Severity, payload: &Value) {
        let kind = kind.into_str().parse().expect("kinds are dotted words");
        let payload = payload.to_string().parse();
        let (Ok(subject), Ok(payload)) = (subject.parse(), payload) else {
            tracing::error!(%kind, subject, "an event cannot be recorded: its subject or payload is not one");
            return;
        };
        let at = self.clock.wall();
        let id = EventId::draw(at, &*self.ids);
        let event = Event::new(id, at, kind, subject, severity, payload);
        self.outbox.put(self.author, [event]);
    }

    /// The service's work has ended; what waits is still to be stored.
    pub(crate) fn stopped(&self, uptime: Duration, in_time: bool) {
        let severity = if in_time { Severity::Info } else { Severity::Warning };
        let payload = json!({"uptime_s": uptime.as_secs(), "in_time": in_time});
        self.put(Kind::ServiceStopped, "service", severity, &payload);
    }

    /// What an observation changed of tokens. That a token is missing is recorded the first time alone, and moves between
    /// lanes not at all: they would bury the rest.
    pub(crate) fn market(&self, events: &[MarketEvent]) {
        let put = |kind, mint: &Mint, payload| self.put(kind, &mint.to_string(), Severity::Info, &payload);
        for event in events {
            match event {
                MarketEvent::Activated { mint, rule, pools } => {
                    put(Kind::TokenActivated, mint, json!({"rule": rule.as_str(), "pools": seen(pools)}));
                }
                MarketEvent::Archived { mint, below_since, min_liquidity_usd, pools } => {
                    let payload = json!({
                        "below_since": below_since.to_string(),
                        "min_liquidity_usd": min_liquidity_usd,
                        "pools": seen(pools),
                    });
                    put(Kind::TokenArchived, mint, payload);
                }
                MarketEvent::Unlisted { mint, misses: 1, ask_again_at } => {
                    put(Kind::TokenUnlisted, mint, json!({"ask_again_at": ask_again_at.to_string()}));
                }
                MarketEvent::Relisted { mint } => put(Kind::TokenRelisted, mint, json!({})),
                MarketEvent::Unlisted { .. } | MarketEvent::LaneChanged { .. } => {}
            }
        }
    }

    /// A breaker changed its state; `cause` is the last error of what is called, if there is one.
    pub(crate) fn breaker(&self, name: &str, change: &Transition, cause: Option<&str>) {
        let Transition { from, to, reason, counts, .. } = change;
        let wall = self.clock.wall();
        let retry_at = change.retry_at.map(|at| {
            // A wait that leaves the calendar ends with it.
            wall.checked_add(at - self.clock.now()).unwrap_or(Timestamp::MAX).to_string()
        });
        let severity = match to {
            State::Closed | State::HalfOpen => Severity::Info,
            State::Open | State::ForcedOpen | State::Disabled => Severity::Warning,
        };
        let payload = json!({
            "from": from.as_str(),
            "to": to.as_str(),
            "reason": reason.as_str(),
            "retry_at": retry_at,
            "cause": cause.map(|cause| cause.chars().take(LONGEST_PROBLEM).collect::<String>()),
            "counts": {
                "successes": counts.successes,
                "failures": counts.failures,
                "consecutive_failures": counts.consecutive_failures,
                "slow": counts.slow,
                "ignored": counts.ignored,
                "rate_limited": counts.rate_limited,
            },
        });
        self.put(Kind::BreakerChanged, name, severity, &payload);
    }

    /// A list of tokens that others keep cannot be used, or can be again.
    pub(crate) fn source(&self, origin: Origin, problem: Option<&str>) {
        match problem {
            Some(problem) => {
                let problem: String = problem.chars().take(LONGEST_PROBLEM).collect();
                self.put(
                    Kind::SourceFailed,
                    origin.as_str(),
                    Severity::Error,
                    &json!({ "problem": problem }),
                );
            }
            None => self.put(Kind::SourceRecovered, origin.as_str(), Severity::Info, &json!({})),
        }
    }

    /// A line of the ledger.
    pub(crate) fn recovery(&self, entry: &Entry) {
        let id = entry.recovery.to_string();
        let (kind, severity, payload) = match &entry.fact {
            Fact::Booted | Fact::Closed | Fact::Spent => return,
            Fact::Began { cause, by, .. } => (
                Kind::RecoveryBegan,
                Severity::Warning,
                json!({"id": id, "cause": cause, "class": entry.fact.class().map(FailureClass::as_str), "by": by.as_str()}),
            ),
            Fact::Step { step, charged } => (
                Kind::RecoveryStep,
                if *step >= Step::RebuildPlane { Severity::Error } else { Severity::Warning },
                json!({"id": id, "step": step.as_str(), "charged": charged}),
            ),
            Fact::Withheld { cause, dependency } => (
                Kind::RecoveryWithheld,
                Severity::Warning,
                json!({"id": id, "cause": cause, "dependency": dependency}),
            ),
            Fact::Ended { outcome, took } => (
                Kind::RecoveryEnded,
                if *outcome == Outcome::Escalated { Severity::Critical } else { Severity::Info },
                json!({"id": id, "outcome": outcome.as_str(), "took_s": took.as_secs_f64()}),
            ),
        };
        self.put(kind, &entry.subject, severity, &payload);
    }

    /// What the processes before did cannot be read.
    pub(crate) fn ledger_set_aside(&self, problem: &str) {
        let problem: String = problem.chars().take(LONGEST_PROBLEM).collect();
        self.put(Kind::LedgerSetAside, "ledger", Severity::Error, &json!({ "problem": problem }));
    }

    /// The process was paused: nothing of it ran for so long.
    pub(crate) fn paused(&self, lasted: Duration) {
        let payload = json!({"lasted_s": lasted.as_secs_f64()});
        self.put(Kind::ProcessPaused, "process", Severity::Warning, &payload);
    }

    /// Attempts may take another time, or another number of requests may be under way.
    pub(crate) fn control(&self, change: &ControlChange) {
        let kind = match change.what {
            Controlled::AttemptTimeout => Kind::ControlAttemptTimeout,
            Controlled::InFlight => Kind::ControlInFlight,
        };
        let payload = json!({"from": change.from, "to": change.to, "reason": change.reason.to_string()});
        self.put(kind, POOLS, Severity::Info, &payload);
    }

    /// What has become of an alert. Its id is the subject, so that one can ask for the past of one alert.
    pub(crate) fn alert(&self, turn: &Turned) {
        let (kind, severity, ended) = match turn.turn {
            Turn::Fired => (Kind::AlertFired, turn.severity, None),
            Turn::Severity => (Kind::AlertSeverityChanged, turn.severity, None),
            Turn::Resolved(ending) => (Kind::AlertResolved, Severity::Info, Some(ending.as_str())),
            Turn::Pending | Turn::Cancelled | Turn::Recovering | Turn::Relapsed => return,
        };
        let payload = json!({
            "rule": &*turn.key.rule,
            "labels": turn.key.labels.iter().collect::<BTreeMap<_, _>>(),
            "severity": turn.severity.as_str(),
            "value": turn.value,
            "episode": turn.episode.map(|episode| episode.id.to_string()),
            "ended": ended,
        });
        self.put(kind, &turn.key.identity().to_string(), severity, &payload);
    }

    /// Where the events are.
    pub(crate) fn counts(&self) -> OutboxCounts {
        self.outbox.counts()
    }
}

fn seen(pools: &PoolsSeen) -> Value {
    let cut = |name: &str| name.chars().take(LONGEST_NAME).collect::<String>();
    let listed = pools.listed.iter().map(|pool| {
        json!({"address": cut(&pool.address), "dex": cut(&pool.dex), "liquidity_usd": pool.liquidity_usd})
    });
    json!({"count": pools.count, "listed": listed.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests;
