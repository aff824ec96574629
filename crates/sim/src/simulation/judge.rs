//! The checks of the process: in every slot, at its exit, and at the end of the run. They only read the world, so
//! they do not change the trace.

use std::time::Duration;

use ttm_breaker::State as BreakerState;
use ttm_health::{HealthView, Status};
use ttm_kernel::{Clock, Moment};
use ttm_service::Board;

use super::state::{Hold, RECOVERED_WITHIN, Simulation, State};
use crate::oracle::{
    SLOT, Slot, every_change_has_its_event, is_stored_as_published, none_lost, silence_unlists_no_token,
    unlisted,
};
use crate::process::{Exit, Process};
use crate::{ExchangeFault, FaultKind, Part, Plane, StoreFault, StoreTable};

/// If every batch contains a poisoned mint the breaker opens; within this time the service finds that the API is up.
const FOUND_WITHIN: Duration = Duration::from_mins(5);
/// The longest call, with all its attempts and their waits for a permit.
const MAX_CALL: Duration = Duration::from_secs(30);
/// What a timer ends, ends a little after its deadline.
const TIMER_DELAY: Duration = Duration::from_millis(30);
/// A start makes a handful of calls to the store, each with its deadline.
const MAX_START: Duration = Duration::from_mins(1);

impl Simulation<'_> {
    /// The checks of every slot.
    pub(super) fn judge_slot(&mut self) {
        let now = self.executor.now();
        let board = match &self.state {
            State::Up(process) | State::Stopping { process, .. } => Some(process.board()),
            State::Down { .. } => None,
        };
        let tokens = board.map(Board::tokens);
        let unlisted_now = tokens.as_ref().map(|tokens| unlisted(tokens));
        let silent = |at| self.faults.exchange(at) == Some(ExchangeFault::Nulls);
        // Not at once: a token that was missing just before may be requested singly during the silence.
        if silent(now.saturating_sub(MAX_CALL))
            && silent(now)
            && let (Some(before), Some(now)) = (self.unlisted, unlisted_now)
        {
            self.verdicts.check(silence_unlists_no_token(before, now));
        }
        self.unlisted = unlisted_now;
        let slot = tokens.as_ref().map(|tokens| Slot {
            exchange_up: !self.faults.exchange(now).is_some_and(ExchangeFault::is_down),
            tokens,
            wall: self.executor.wall(),
            excused: self.faults.excused(now),
            hot_threshold: self.plan.settings.market.hot_threshold(),
        });
        self.availability.observe(slot.as_ref());
        if !self.is_disturbed_from_outside() {
            self.own.observe(slot.as_ref());
        }
        if self.is_healed() {
            self.healed.observe(slot.as_ref());
        }
        self.judge_health();
        self.judge_ledger();
        self.judge_told();
        self.follow_panics();
        let State::Up(process) = &self.state else { return };
        if let Some(counts) = process.events() {
            let mut ledger = self.world.events.ledger(process.number());
            if self.keeps_a_batch(StoreTable::Events, Part::EventWriter) {
                ledger.in_flight = ledger.in_flight.max(counts.in_flight);
            }
            if self.was_struck() {
                // A writer that was left behind cannot say that its batch was stored, so the next one stores it again.
                let others = ledger.in_flight + counts.waiting + counts.dropped;
                ledger.acknowledged = ledger.acknowledged.min(counts.produced.saturating_sub(others));
            }
            self.verdicts.check(none_lost(&counts, &ledger));
        }
        self.judge_ages(process.board());
        self.judge_samples(process);
        let breaker = process.breaker();
        self.judge_poison(breaker);
    }

    /// Whether the process is frozen, or was killed and has had no time to start and to refresh what is served.
    fn is_disturbed_from_outside(&self) -> bool {
        let now = self.executor.now();
        let is_outside = |kind| matches!(kind, FaultKind::Freeze | FaultKind::Kill | FaultKind::Terminate);
        self.faults.any_between(now.saturating_sub(MAX_START), now, is_outside)
    }

    /// Whether a batch of this table may just have been rejected: it is resent in halves, and entries that were not
    /// resent yet are in flight for the process and not for the store.
    fn is_halved(&self, table: StoreTable) -> bool {
        let rejects = |kind| matches!(kind, FaultKind::Store(of, StoreFault::Rejects(_)) if of == table);
        let now = self.executor.now();
        self.faults.any_between(now.saturating_sub(MAX_START), now, rejects)
    }

    /// Whether a batch may be in flight for the process and not for the store: it is resent in halves, its call hangs, or the writer
    /// that took it is gone and held back.
    fn keeps_a_batch(&self, table: StoreTable, writer: Part) -> bool {
        self.is_halved(table) || self.io_is_held() || !self.executor.is_well(self.number, writer.name())
    }

    /// Poisoned mints must not keep the breaker open for longer than it takes to identify them.
    fn judge_poison(&mut self, breaker: Option<BreakerState>) {
        let now = self.executor.now();
        let long_ago = now.saturating_sub(RECOVERED_WITHIN);
        let is_alone = self.faults.is_poison_alone(long_ago, now) && !self.illness.any_between(long_ago, now);
        let is_open = breaker.is_some_and(|state| state != BreakerState::Closed);
        let since = (is_alone && is_open).then(|| *self.open_for_poison.get_or_insert(now));
        self.open_for_poison = since;
        if let Some(since) = since.filter(|since| now - *since > FOUND_WITHIN) {
            let open = now - since;
            self.verdicts.broken(format_args!(
                "the breaker has not been closed for {open:?}, although the API fails for poisoned mints only"
            ));
        }
    }

    fn judge_samples(&self, process: &Process) {
        let Some(counts) = process.samples() else { return };
        let mut ledger = self.world.history.ledger(process.number());
        if self.keeps_a_batch(StoreTable::Samples, Part::SampleWriter) {
            ledger.in_flight = ledger.in_flight.max(counts.in_flight);
        }
        let found = ledger.acknowledged + ledger.in_flight + counts.waiting + counts.dropped;
        // A writer that was left behind cannot say that its batch was stored, so the next one stores it again.
        let again = if self.was_struck() { found.saturating_sub(counts.produced) } else { 0 };
        if found - again != counts.produced {
            self.verdicts.broken(format_args!(
                "{} samples produced, {found} found: {counts:?} {ledger:?}",
                counts.produced
            ));
        }
        if counts.waiting > self.plan.settings.sample_capacity as u64 {
            self.verdicts.broken(format_args!("{} samples wait, more than the capacity", counts.waiting));
        }
    }

    /// However many tokens there are, each is refreshed within twice the time that the service computes for a round,
    /// once there has been no fault for as long.
    fn judge_ages(&self, board: &Board) {
        let Some(plan) = board.plan() else { return };
        let facts = board.data_facts();
        for (lane, plan, ages) in [("hot", plan.hot, facts.hot.ages), ("cold", plan.cold, facts.cold.ages)] {
            let bound = 2 * plan.cycle + RECOVERED_WITHIN;
            let calm_since = self.executor.now().saturating_sub(bound);
            let Some(ages) = ages.filter(|_| board.uptime() > bound) else { continue };
            let oldest = ages.max;
            if self.faults.healed(calm_since)
                && !self.illness.any_between(calm_since, self.executor.now())
                && self.faults.excused(self.executor.now()) == 0
                && oldest > 2 * plan.cycle + MAX_CALL
            {
                self.verdicts.broken(format_args!(
                    "a {lane} token is {oldest:?} old, but a round takes {:?}",
                    plan.cycle
                ));
            }
        }
    }

    /// Checks the exit of a process that was not ordered to stop.
    pub(super) fn judge_exit(&self, process: &Process, at: Moment, exit: &Exit) {
        match exit {
            Exit::Crashed(end) => {
                self.verdicts.broken(format_args!("the process crashed: {end:?}"));
            }
            Exit::NotStarted(error) if self.is_refused(process, error) => {}
            Exit::NotStarted(error) => {
                let store_was_away = self.store_was_away(self.booted, at);
                if !store_was_away && !self.was_struck() {
                    self.verdicts.broken(format_args!("the process did not start: {error}"));
                }
            }
            Exit::Abandoned | Exit::Stopped(_) => {
                self.verdicts.broken("the process stopped without an order");
            }
            Exit::Failed(reason, _) => {
                // A process that ends by itself releases its lease, which another may hold by the time of this check.
                let lost_a_part = self.ended.iter().any(|part| reason.contains(part));
                if !lost_a_part && self.is_superseded(process) {
                    self.judge_superseded(process, at, exit);
                    self.judge_stop(process, at, at, exit);
                    return;
                }
                let healed_itself = self.may_end_itself(at);
                if !lost_a_part && !healed_itself {
                    self.verdicts.broken(format_args!("the process failed: {reason}"));
                }
                // Nobody outside knows when it began to stop.
                self.judge_stop(process, at, at, exit);
            }
        }
    }

    /// Checks that the watchdog starved for a reason: nothing of the process ran, or nothing of its supervision.
    pub(super) fn judge_kill(&self) {
        let now = self.executor.now();
        let hangs =
            |hold: &Hold| matches!(hold.plane, Plane::Main | Plane::Supervision) && hold.until + SLOT >= now;
        if !self.held.iter().any(hangs) {
            self.verdicts.broken("the watchdog killed a process that did not hang");
        }
    }

    /// Checks a stop against its promise: in time, and with everything stored unless the store was unavailable.
    pub(super) fn judge_stop(&self, process: &Process, since: Moment, at: Moment, exit: &Exit) {
        let took = at - since;
        let is_held = |planes: &[Plane]| {
            self.held.iter().any(|hold| hold.until > since && planes.contains(&hold.plane))
        };
        let is_suspended = is_held(&[Plane::Main, Plane::Supervision]);
        if !is_suspended && took > self.plan.promised.stop_within + TIMER_DELAY {
            self.verdicts.broken(format_args!("the stop took {took:?}"));
        }
        // A freeze of the whole process takes no time from its stop; one of a plane does.
        if self.held.iter().any(|hold| hold.until > since && !hold.is_freeze) {
            return;
        }
        let (Exit::Stopped(stopped) | Exit::Failed(_, stopped)) = exit else {
            if let Exit::Crashed(end) = exit {
                self.verdicts.broken(format_args!("the process crashed: {end:?}"));
            }
            // Ordered to stop during its start: there was nothing to lose.
            return;
        };
        let left = self.executor.runtime().live_tasks_of(process.number());
        if left > 0 {
            self.verdicts.broken(format_args!("{left} tasks outlive the stop"));
        }
        let states = self.world.store_states(process.number(), at);
        let gave_up = states.iter().any(|(.., state)| state.corrupt);
        let superseded = self.is_superseded(process);
        let was_ill = self.illness.any_between(since.saturating_sub(MAX_START), at);
        if gave_up || superseded || was_ill || self.store_was_away(since, at) {
            return;
        }
        if !stopped.in_time || stopped.tokens_left + stopped.samples_left + stopped.events_left > 0 {
            self.verdicts.broken(format_args!("not everything was stored: {stopped:?}"));
        }
        let (durable, events) = (self.world.tokens.durable(), self.world.events.durable(process.number()));
        self.verdicts.check(is_stored_as_published(&process.board().tokens(), &durable, self.plan.profiles));
        if process.events().is_some_and(|events| events.dropped == 0) {
            let found = self.world.tokens.found_by(process.number());
            self.verdicts.check(every_change_has_its_event(&found, &durable, &events));
        }
    }

    /// Whether the store had a fault between the two, or so shortly before that it still mattered.
    pub(super) fn store_was_away(&self, from: Moment, to: Moment) -> bool {
        let is_store = |kind| matches!(kind, FaultKind::Store(..));
        self.faults.any_between(from.saturating_sub(MAX_START), to, is_store)
    }

    /// Whether nothing has been wrong for as long as the service may take to recover.
    pub(super) fn is_healed(&self) -> bool {
        let now = self.executor.now();
        let since = now.saturating_sub(RECOVERED_WITHIN);
        self.faults.healed(since) && !self.illness.any_between(since, now)
    }

    /// Checks that no effect is left of faults that were over long ago.
    pub(super) fn judge_end(&self) {
        if self.healed.share() < 1.0 {
            let down = self.healed.longest_down(SLOT);
            self.verdicts.broken(format_args!(
                "not recovered {RECOVERED_WITHIN:?} after the last fault, for up to {down:?}"
            ));
        }
        self.judge_told_at_end();
        match &self.state {
            State::Up(process) => {
                let report = process.board().report();
                if report.status != Status::Healthy && !self.keeps_ending() {
                    self.verdicts.broken(format_args!(
                        "{} at the end: {:?}",
                        report.status,
                        report.reasons()
                    ));
                }
            }
            State::Stopping { .. } | State::Down { .. } => self.verdicts.broken("no process at the end"),
        }
    }
}
