//! Gathers the facts that a report is made from, off the board and from the ports.

use std::sync::Arc;

use jiff::Timestamp;
use ttm_breaker::State as BreakerWord;
use ttm_guard::Guard;
use ttm_health::{
    ApiFacts, BreakerState, Facts, GroupFacts, HealthView, OverruledBreaker, PartFacts, Phase, RecoveryFacts,
    StoreFacts,
};
use ttm_kernel::{Connections, Lane, Moment};
use ttm_recovery::{PartView, State};
use ttm_schedule::LaneStatus;

use super::{API_WINDOW, Monitor};
use crate::pause::Watched;
use crate::settings::POOLS;
use crate::stores::StoreUse;

/// So many ends of the process within an hour, none of which was ordered, are more than bad luck.
const TOO_MANY_ENDS: u32 = 3;

impl Monitor {
    pub(super) fn facts(&self) -> Facts {
        let counts = self.resident.samples.counts();
        let now = self.runtime.now();
        let stores = &self.resident.board.stores;
        for (what, lost) in [
            (StoreUse::TokenWrites, self.resident.tokens.counts().dropped),
            (StoreUse::Samples, self.resident.samples.counts().dropped),
            (StoreUse::Events, self.resident.events.counts().dropped),
        ] {
            stores.dropped(what, lost, now);
        }
        let store = StoreFacts {
            uses: stores.facts(now),
            tokens_waiting: self.resident.tokens.counts().left(),
            samples_waiting: counts.waiting + counts.in_flight,
            samples_dropped: counts.dropped,
        };
        Facts {
            at: self.runtime.wall(),
            uptime: self.resident.board.uptime(),
            measured_for: self.runtime.now() - self.began(),
            phase: self.resident.board.phase(),
            waiting_for: None,
            hot: self.group(Lane::Hot),
            cold: self.group(Lane::Cold),
            lease_lapsed_for: self.resident.lease.lapsed_since().map(|since| now - since),
            tokens_per_minute: Some(self.resident.board.tokens_per_minute()),
            resources: self.resident.board.resources(),
            database_connections: self.connections(),
            api: self.api(),
            data: self.resident.board.data_facts(),
            plan: self.resident.board.plan(),
            store,
            sources: self.resident.board.sources(),
            recovery: self.recovery(),
            reached: self.resident.board.report().reached,
            commands: self.resident.settings.commands.clone(),
        }
    }

    /// What of the parts is not as it should be. What waits for something that is away has findings of its own.
    fn recovery(&self) -> RecoveryFacts {
        let (parts, needs_a_person) = self.resident.board.recovery();
        let set_aside = self.resident.board.set_aside();
        let ends = self.resident.board.budgets().map(|budgets| budgets.unordered_ends);
        let process_ended = ends.filter(|ends| *ends >= TOO_MANY_ENDS);
        let mut facts =
            RecoveryFacts { needs_a_person, process_ended, set_aside, ..RecoveryFacts::default() };
        for PartView { name, critical, state, given_up, problem, .. } in parts {
            let Some(problem) = problem else { continue };
            let into = match state {
                State::Escalated => &mut facts.escalated,
                // That it is tried once more helps nobody yet.
                _ if given_up => &mut facts.escalated,
                State::Starting | State::Stuck | State::Stopping | State::Stopped => &mut facts.restarting,
                State::Running | State::Degraded => continue,
            };
            into.push(PartFacts { name, critical, problem });
        }
        facts
    }

    /// The pools of both stores together.
    fn connections(&self) -> Option<Connections> {
        match (self.resident.ports.tokens.connections(), self.resident.ports.history.connections()) {
            (Some(tokens), Some(history)) => Some(tokens + history),
            (one, other) => one.or(other),
        }
    }

    fn group(&self, lane: Lane) -> GroupFacts {
        let now = self.runtime.now();
        let interval = self.resident.settings.schedule.interval(lane);
        let Some(status) = self.resident.board.group(lane) else {
            return GroupFacts { interval, ..GroupFacts::default() };
        };
        let outcome = status.last_outcome.unwrap_or_default();
        let since =
            |what, at: Option<Moment>| at.map(|at| self.resident.excuses.lock().since((lane, what), at, now));
        GroupFacts {
            interval,
            last_run: status.last_finished.map(|at| wall_of(at, now, self.runtime.wall())),
            processing_time: status.last_duration,
            since_progress: since(Watched::Progress, self.progress(&status)),
            since_tick: since(Watched::Tick, status.last_started),
            since_held_up: status.last_held_up.max(self.resident.lease.lapsed_until()).map(|at| now - at),
            withheld_for: status.withheld_since.map(|at| now - at),
            running: status.running,
            missed_runs: status.missed_runs,
            attempted: outcome.attempted,
            failed: outcome.failed,
            broken: outcome.broken,
            panics: self.resident.board.answers.panics(lane, now),
        }
    }

    /// When the lanes could begin.
    fn began(&self) -> Moment {
        self.resident.excuses.lock().began
    }

    /// From when on a group is late: its last progress, or the moment at which it could begin to make some.
    pub(super) fn progress(&self, status: &LaneStatus) -> Option<Moment> {
        status.last_progress.or_else(|| (self.resident.board.phase() == Phase::Running).then(|| self.began()))
    }

    /// Breakers that an operator overrules. That the API's own is held open is told with the API.
    fn overruled(&self) -> Vec<OverruledBreaker> {
        let now = self.runtime.now();
        let overruled = |guard: &Arc<Guard>| {
            let breaker = guard.breaker();
            let is_open = match breaker.snapshot(now).state {
                BreakerWord::ForcedOpen if breaker.name() == POOLS => return None,
                BreakerWord::ForcedOpen => true,
                BreakerWord::Disabled => false,
                BreakerWord::Closed | BreakerWord::Open | BreakerWord::HalfOpen => return None,
            };
            Some(OverruledBreaker { name: breaker.name().to_owned(), is_open })
        };
        self.resident.guards.iter().filter_map(overruled).collect()
    }

    fn api(&self) -> ApiFacts {
        let window = self.resident.board.calls(API_WINDOW);
        let (silence, unreadable) = self.resident.board.answers.facts(self.runtime.now());
        ApiFacts {
            calls: window.calls,
            errors: window.errors,
            average_response_time: window.mean,
            p95_response_time: window.p95,
            breaker: Some(match self.resident.guard.breaker().snapshot(self.runtime.now()).state {
                BreakerWord::Closed => BreakerState::Closed,
                BreakerWord::Open => BreakerState::Open,
                BreakerWord::HalfOpen => BreakerState::HalfOpen,
                BreakerWord::ForcedOpen => BreakerState::ForcedOpen,
                BreakerWord::Disabled => BreakerState::Disabled,
            }),
            breaker_name: POOLS,
            overruled: self.overruled(),
            cache_hit_rate: self.resident.board.cache_hit_rate(),
            requests_per_minute: Some(self.resident.board.calls_per_minute()),
            last_error: self
                .resident
                .board
                .api_trouble(self.resident.guard.breaker().name())
                .map(|trouble| trouble.message),
            failing_for: self.resident.board.api_failing_for(self.resident.guard.breaker().name()),
            silence,
            unreadable,
        }
    }
}

/// The wall time of a moment in the past.
fn wall_of(at: Moment, now: Moment, wall: Timestamp) -> Timestamp {
    wall.checked_sub(now - at).unwrap_or(wall)
}
