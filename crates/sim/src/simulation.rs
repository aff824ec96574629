//! One simulation: a world, a process in it, a schedule of faults, and the oracles looking on. It knows no scenario.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_app::service::Board;
use ttm_health::{HealthView, Status};
use ttm_kernel::{Clock, Moment};
use ttm_market::Token;

use crate::oracle::{Availability, Slot, Verdicts, every_change_has_its_event, is_stored_as_seen, none_lost};
use crate::outcome::Outcome;
use crate::process::{Exit, Process};
use crate::world::World;
use crate::{ExchangeFault, Executor, FaultKind, FaultSchedule, Plan, Rest};

/// Availability is counted in slots of this length.
pub const SLOT: Duration = Duration::from_secs(10);
/// The service manager starts a process that failed again after this.
const RESTART_AFTER: Duration = Duration::from_secs(5);
/// Once everything is healed the service is given this long to be well: the breaker's longest open period, and then
/// some rounds of the groups.
const WELL_WITHIN: Duration = Duration::from_mins(15);
/// What one call may take, with all its attempts and their turns.
const A_CALL: Duration = Duration::from_secs(30);
/// What is to end by a timer ends a little after its moment.
const TIMERS_LATE: Duration = Duration::from_millis(10);
/// The wall at the beginning.
const WALL_S: i64 = 1_800_000_000;

/// A simulation under way.
struct Simulation<'a> {
    plan: &'a Plan,
    faults: Arc<FaultSchedule>,
    executor: Executor,
    verdicts: Arc<Verdicts>,
    world: World,
    state: State,
    boots: u32,
    next_slot: Moment,
    availability: Availability,
    healed: Availability,
    stops: u32,
    /// The tokens as the present process found them.
    found: Vec<Token>,
}

/// The process, or when there will be one again.
enum State {
    Up(Process),
    Stopping { process: Process, since: Moment, away: Duration },
    Down { until: Moment },
}

impl Plan {
    /// Runs it.
    pub fn run(&self) -> Outcome {
        let mut simulation = Simulation::new(self);
        simulation.run();
        simulation.finish()
    }

    /// Runs it twice, and wants every promise kept.
    ///
    /// # Panics
    /// When one is broken, with the line that replays it.
    pub fn run_and_hold(&self) -> Outcome {
        let outcome = self.run_twice();
        println!("seed {}: {outcome}", self.seed);
        if let Err(failure) = outcome.verdict(self) {
            panic!("{failure}");
        }
        outcome
    }

    /// Runs it twice; two runs that differ in anything are a broken promise.
    pub fn run_twice(&self) -> Outcome {
        let first = self.run();
        let mut second = self.run();
        if first.hash != second.hash {
            second.broken.push(format!("two runs differ: {:016x} and {:016x}", first.hash, second.hash));
        }
        second
    }
}

impl<'a> Simulation<'a> {
    fn new(plan: &'a Plan) -> Self {
        let wall = Timestamp::from_second(WALL_S).expect("a valid time");
        let executor = Executor::new(plan.seed, wall);
        let runtime = executor.runtime().clone();
        let faults = Arc::new(plan.faults.clone());
        let verdicts = Arc::new(Verdicts::new(runtime.clone()));
        let world = World::new(plan.seed, plan.tokens, plan.promised, &runtime, &faults, &verdicts);
        Self {
            plan,
            faults,
            executor,
            verdicts,
            world,
            state: State::Down { until: Moment::ZERO },
            boots: 0,
            next_slot: Moment::ZERO + SLOT,
            availability: Availability::default(),
            healed: Availability::default(),
            stops: 0,
            found: Vec::new(),
        }
    }

    fn run(&mut self) {
        let end = Moment::from_origin(self.plan.lasts);
        let faults = Arc::clone(&self.faults);
        let mut faults = faults.faults().iter().peekable();
        while self.executor.now() < end {
            let fault_at = faults.peek().map_or(Moment::MAX, |fault| fault.begins());
            let boot_at = if let State::Down { until } = self.state { until } else { Moment::MAX };
            if !self.advance(end.min(self.next_slot).min(fault_at).min(boot_at)) {
                return;
            }
            self.manage();
            while let Some(fault) = faults.next_if(|fault| fault.begins() <= self.executor.now()) {
                self.executor.runtime().trace(format_args!("fault begins: {}", fault.kind));
                self.inflict(fault.kind, fault.lasts);
            }
            while self.next_slot <= self.executor.now() {
                self.look();
                self.next_slot += SLOT;
            }
        }
    }

    /// Lets the process run until then; false when there is no sense in going on.
    fn advance(&mut self, until: Moment) -> bool {
        match self.executor.run_until(until) {
            Rest::Reached | Rest::Idle => true,
            Rest::Deadlock => {
                self.verdicts.broken("a deadlock: tasks wait, and nothing will ever wake them");
                false
            }
            Rest::Livelock => {
                self.verdicts.broken("a livelock: tasks wake each other, and time stands still");
                false
            }
        }
    }

    /// Does what the service manager does: notes exits, and boots what should run.
    fn manage(&mut self) {
        let now = self.executor.now();
        match &self.state {
            State::Up(process) => {
                if let Some((at, exit)) = process.exit() {
                    if matches!(exit, Exit::Failed(..)) {
                        self.verdicts.broken(format_args!("the process went down by itself: {exit:?}"));
                        self.executor.kill();
                    }
                    self.state = State::Down { until: at + RESTART_AFTER };
                }
            }
            State::Stopping { process, since, away } => {
                if let Some((at, exit)) = process.exit() {
                    let until = at + *away;
                    self.stops += 1;
                    self.judge_stop(process, at - *since, &exit);
                    self.state = State::Down { until };
                }
            }
            State::Down { until } if now >= *until => {
                self.boots += 1;
                self.executor.runtime().trace(format_args!("process boots"));
                self.world.exchange.process_restarted();
                self.world.history.open_ledger();
                self.world.events.open_ledger();
                self.found = self.world.tokens.durable();
                let ports =
                    self.world.ports(u64::from(self.boots), self.executor.runtime(), self.plan.profiles);
                let process = Process::boot(
                    self.executor.runtime(),
                    ports,
                    self.plan.settings.clone(),
                    self.plan.promised.stop_within,
                );
                self.state = State::Up(process);
            }
            State::Down { .. } => {}
        }
    }

    /// Does what a fault does at once; what lasts, the world looks up itself.
    fn inflict(&mut self, kind: FaultKind, lasts: Duration) {
        let now = self.executor.now();
        match kind {
            FaultKind::Exchange(_) | FaultKind::Store(_) | FaultKind::ResourcesUnknown => {}
            FaultKind::Kill => {
                self.executor.kill();
                self.state = State::Down { until: now + lasts };
            }
            FaultKind::Terminate => self.terminate(lasts),
            FaultKind::Freeze => self.executor.freeze(lasts),
            FaultKind::WallStep(by) => self.executor.step_wall(by),
        }
    }

    fn terminate(&mut self, away: Duration) {
        let since = self.executor.now();
        match std::mem::replace(&mut self.state, State::Down { until: since + away }) {
            State::Up(process) => {
                process.terminate(since + self.plan.promised.stop_within);
                self.state = State::Stopping { process, since, away };
            }
            other => self.state = other,
        }
    }

    /// What is looked at in every slot.
    fn look(&mut self) {
        let now = self.executor.now();
        let board = match &self.state {
            State::Up(process) | State::Stopping { process, .. } => Some(process.board()),
            State::Down { .. } => None,
        };
        let tokens = board.map(Board::tokens);
        let slot = tokens.as_ref().map(|tokens| Slot {
            exchange_up: !self.faults.exchange(now).is_some_and(ExchangeFault::is_down),
            tokens,
            wall: self.executor.wall(),
            hot_threshold: self.plan.settings.market.hot_threshold(),
        });
        self.availability.observe(slot.as_ref());
        if self.faults.healed(now.saturating_sub(WELL_WITHIN)) {
            self.healed.observe(slot.as_ref());
        }
        if let State::Up(process) = &self.state
            && let Some(counts) = process.events()
        {
            self.verdicts.check(none_lost(&counts, &self.world.events.ledger()));
        }
        if let State::Up(process) = &self.state {
            self.judge_ages(process.board());
        }
        if let State::Up(process) = &self.state
            && let Some(counts) = process.samples()
        {
            let ledger = self.world.history.ledger();
            let found = ledger.acknowledged + ledger.in_flight + counts.waiting + counts.dropped;
            if found != counts.produced {
                self.verdicts.broken(format_args!(
                    "{} samples produced, {found} found: {counts:?} {ledger:?}",
                    counts.produced
                ));
            }
            if counts.waiting > self.plan.settings.sample_capacity as u64 {
                self.verdicts.broken(format_args!("{} samples wait, more than may", counts.waiting));
            }
        }
    }

    /// However many tokens there are, each is seen within twice the time that the service computes for a round, once
    /// nothing has been wrong for as long.
    fn judge_ages(&self, board: &Board) {
        let Some(plan) = board.plan() else { return };
        let facts = board.data_facts();
        for (lane, plan, ages) in [("hot", plan.hot, facts.hot.ages), ("cold", plan.cold, facts.cold.ages)] {
            let bound = 2 * plan.cycle + WELL_WITHIN;
            let calm_since = self.executor.now().saturating_sub(bound);
            let Some([.., oldest]) = ages.filter(|_| board.uptime() > bound) else { continue };
            if self.faults.healed(calm_since) && oldest > 2 * plan.cycle + A_CALL {
                self.verdicts
                    .broken(format_args!("a {lane} token is {oldest:?} old, a round is {:?}", plan.cycle));
            }
        }
    }

    /// Holds a stop against its promise: in time, and with everything stored unless the store was away.
    fn judge_stop(&self, process: &Process, took: Duration, exit: &Exit) {
        if took > self.plan.promised.stop_within + TIMERS_LATE {
            self.verdicts.broken(format_args!("the stop took {took:?}"));
        }
        let Exit::Stopped(stopped) = exit else {
            // Told to stop while it booted without its store: there was nothing to lose.
            return;
        };
        let left = self.executor.runtime().live_tasks();
        if left > 0 {
            self.verdicts.broken(format_args!("{left} tasks outlive the stop"));
        }
        let begun = self.executor.now().saturating_sub(took);
        let store_was_well = self.faults.faults().iter().all(|fault| {
            !matches!(fault.kind, FaultKind::Store(_))
                || fault.until() <= begun
                || fault.begins() >= self.executor.now()
        });
        if !store_was_well {
            return;
        }
        if !stopped.in_time || stopped.tokens_left + stopped.samples_left + stopped.events_left > 0 {
            self.verdicts.broken(format_args!("not everything was stored: {stopped:?}"));
        }
        let (durable, events) = (self.world.tokens.durable(), self.world.events.durable());
        self.verdicts.check(is_stored_as_seen(&process.board().tokens(), &durable, self.plan.profiles));
        self.verdicts.check(every_change_has_its_event(&self.found, &durable, &events));
    }

    /// Stops the process, and judges the whole.
    fn finish(mut self) -> Outcome {
        if self.faults.healed(self.executor.now().saturating_sub(WELL_WITHIN)) {
            self.judge_health();
        }
        self.terminate(Duration::MAX);
        let by = self.executor.now() + self.plan.promised.stop_within + Duration::from_secs(1);
        self.advance(by);
        self.manage();
        if matches!(self.state, State::Up(_) | State::Stopping { .. }) {
            self.verdicts.broken("the process was told to stop and did not");
        }
        let ledger = self.world.history.ledger();
        let stepped = self.faults.faults().iter().any(|fault| matches!(fault.kind, FaultKind::WallStep(_)));
        if ledger.collided > 0 && !stepped {
            self.verdicts.broken(format_args!("{} samples had the identity of another", ledger.collided));
        }
        let (count, mut broken) = self.verdicts.all();
        if count > broken.len() as u64 {
            broken.push(format!("and {} more", count - broken.len() as u64));
        }
        let runtime = self.executor.runtime();
        Outcome {
            hash: runtime.trace_hash(),
            polls: self.executor.polls(),
            availability: self.availability,
            requests: self.world.exchange.counts(),
            samples: ledger,
            tokens: self.world.tokens.durable().len(),
            boots: self.boots,
            stops: self.stops,
            broken,
            last_events: runtime.last_events(),
        }
    }

    /// Everything healed long ago: nothing may be left of it.
    fn judge_health(&self) {
        if self.healed.share() < 1.0 {
            let down = self.healed.longest_down(SLOT);
            self.verdicts.broken(format_args!(
                "not well {WELL_WITHIN:?} after the last fault, for {down:?} at a time"
            ));
        }
        match &self.state {
            State::Up(process) => {
                let report = process.board().report();
                if report.status != Status::Healthy {
                    self.verdicts.broken(format_args!("{} at the end: {:?}", report.status, report.reasons));
                }
            }
            State::Stopping { .. } | State::Down { .. } => self.verdicts.broken("no process at the end"),
        }
    }
}
