//! One simulation: a world, a process in it, a schedule of faults, and the oracles. It advances from one fault, boot
//! or slot to the next, and the oracles check the world at each slot.

mod blame;
mod health;
mod illness;
mod jobs;
mod judge;
mod recovery;
mod second;
mod state;
mod telling;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Clock, Moment, TaskEnd};
use ttm_service::ServiceSettings;

use crate::oracle::{Availability, SLOT, Verdicts};
use crate::outcome::Outcome;
use crate::process::{Outside, Process};
use crate::world::{Stores, World};
use crate::{Executor, FaultKind, Part, Plan, Plane, RunEnd};
use illness::Illness;
use state::{HealthWatch, Hold, RESTART_AFTER, Second, Simulation, State, WATCHDOG};

/// The wall clock at the start.
const WALL_S: i64 = 1_800_000_000;

impl Plan {
    /// Runs the plan.
    pub fn run(&self) -> Outcome {
        self.run_with(&Stores::default())
    }

    /// Runs the plan with stores of someone's own, which have nothing yet. They are given what the simulated ones commit, with every
    /// batch that is sent again because its acknowledgement was lost, and held against them: an answer or a content that is another
    /// is a broken promise of the outcome. Faults of the store are the simulated ones' alone.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use ttm_perf::testing::{FakeEventStore, FakeMetricStore};
    /// use ttm_sim::world::Stores;
    /// use ttm_sim::{FaultSchedule, Plan};
    ///
    /// let faults: FaultSchedule = "at 60s for 30s store-lost-acks".parse().expect("a schedule");
    /// let plan = Plan { tokens: 3, ..Plan::new(7, Duration::from_secs(180), faults) };
    /// let stores =
    ///     Stores { history: Some(Arc::new(FakeMetricStore::new())), events: Some(Arc::new(FakeEventStore::new())) };
    /// assert_eq!(plan.run_with(&stores).broken, [""; 0]);
    /// ```
    pub fn run_with(&self, stores: &Stores) -> Outcome {
        let mut simulation = Simulation::new(self);
        simulation.world.hold(stores, &simulation.verdicts);
        simulation.run();
        simulation.finish()
    }

    /// Runs the plan twice, and checks that no promise is broken.
    ///
    /// # Panics
    /// If one is broken, with the command that replays the plan.
    pub fn run_and_check(&self) -> Outcome {
        let outcome = self.run_twice();
        println!("seed {}: {outcome}", self.seed);
        if let Err(failure) = outcome.verdict(self) {
            panic!("{failure}");
        }
        outcome
    }

    /// Runs the plan twice; if the runs differ in anything, that is a broken promise.
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
        world.break_rules(&plan.defects);
        Self {
            plan,
            faults,
            executor,
            verdicts,
            world,
            state: State::Down { until: Moment::ZERO },
            number: 0,
            host: 0,
            processes: 0,
            boots: 0,
            second: None,
            takeovers: 0,
            next_slot: Moment::ZERO + SLOT,
            availability: Availability::default(),
            own: Availability::default(),
            healed: Availability::default(),
            stops: 0,
            booted: Moment::ZERO,
            fed: Moment::ZERO,
            held: Vec::new(),
            ended: Vec::new(),
            // No request was made yet.
            unlisted: Some(0),
            open_for_poison: None,
            health: HealthWatch::default(),
            illness: Illness::default(),
            wall_steps: Vec::new(),
            replayed: 0,
            told: 0,
        }
    }

    fn run(&mut self) {
        let end = Moment::from_origin(self.plan.lasts);
        let faults = Arc::clone(&self.faults);
        let mut faults = faults.faults().iter().peekable();
        while self.executor.now() < end {
            let fault_at = faults.peek().map_or(Moment::MAX, |fault| fault.begins());
            let boot_at = if let State::Down { until } = self.state { until } else { Moment::MAX };
            let due = self.next_slot.min(fault_at).min(boot_at).min(self.second_due());
            if !self.advance(end.min(due)) {
                return;
            }
            self.manage();
            while let Some(fault) = faults.next_if(|fault| fault.begins() <= self.executor.now()) {
                self.executor.runtime().trace(format_args!("fault begins: {}", fault.kind));
                self.inject(fault.kind, fault.lasts);
            }
            while self.next_slot <= self.executor.now() {
                self.judge_slot();
                self.next_slot += SLOT;
            }
        }
    }

    /// Runs the process until then; false if the simulation cannot continue.
    fn advance(&mut self, until: Moment) -> bool {
        match self.executor.run_until(until) {
            RunEnd::Reached | RunEnd::Idle => true,
            RunEnd::Deadlock => {
                self.verdicts.broken("a deadlock: tasks wait, but nothing will ever wake them");
                false
            }
            RunEnd::Livelock => {
                self.verdicts.broken("a livelock: tasks wake each other, so time does not advance");
                false
            }
        }
    }

    /// Acts as the service manager: notices exits, and boots processes.
    fn manage(&mut self) {
        let now = self.executor.now();
        self.follow_jobs();
        self.follow_lease();
        match &self.state {
            State::Up(process) => {
                if let Some((at, exit)) = process.exit() {
                    self.judge_exit(process, at, &exit);
                    self.gone(at + RESTART_AFTER);
                } else if self.is_watched() && self.starves(process.is_alive()) {
                    self.judge_kill();
                    self.executor.runtime().trace(format_args!("the watchdog kills the process"));
                    self.gone(now + RESTART_AFTER);
                }
            }
            State::Stopping { process, since, away } => {
                if let Some((at, exit)) = process.exit() {
                    let until = at + *away;
                    self.judge_stop(process, *since, at, &exit);
                    self.stops += 1;
                    self.gone(until);
                }
            }
            State::Down { until } if now >= *until => {
                self.boots += 1;
                self.boot();
            }
            State::Down { .. } => {}
        }
        self.manage_second();
    }

    /// Half of the seeds have a service manager with a watchdog.
    const fn is_watched(&self) -> bool {
        self.plan.seed.is_multiple_of(2)
    }

    /// Whether the watchdog has waited for long enough. A process that is stopped as a whole does not feed it.
    fn starves(&mut self, is_alive: bool) -> bool {
        let now = self.executor.now();
        if is_alive && !self.held.iter().any(|hold| hold.plane == Plane::Main && now < hold.until) {
            self.fed = now;
        }
        now - self.fed >= WATCHDOG
    }

    fn boot(&mut self) {
        self.fed = self.executor.now();
        self.processes += 1;
        self.number = self.processes;
        self.booted = self.executor.now();
        self.world.telling.boots(self.number, self.host, self.booted);
        self.executor.runtime().trace(format_args!("process boots"));
        let (number, runtime) = (u64::from(self.number), self.executor.runtime());
        let ports = self.world.ports(self.host, self.plan.profiles);
        let stop_within = self.plan.promised.stop_within;
        let settings = ServiceSettings { stop_within, ..self.plan.settings.clone() };
        let lease = self.world.lease(self.host, number, runtime);
        let outside = Outside { ports, lease, parts: self.plan.parts.clone() };
        let process = Process::boot(self.executor.runtime(), self.number, outside, settings);
        self.state = State::Up(process);
    }

    /// The process is gone with all its state, and the next one boots at `until`.
    fn gone(&mut self, until: Moment) {
        let is_ordered = match &self.state {
            State::Up(_) => false,
            State::Stopping { process, .. } => process.exit().is_some(),
            State::Down { .. } => true,
        };
        if !is_ordered {
            self.health.unordered_ends.push(self.executor.now());
        }
        self.executor.kill_process(self.number);
        self.world.process_gone(self.number);
        self.state = State::Down { until };
        self.held.clear();
        self.ended.clear();
    }

    /// Applies the immediate effect of a fault; the world queries the schedule for lasting ones.
    fn inject(&mut self, kind: FaultKind, lasts: Duration) {
        let now = self.executor.now();
        match kind {
            FaultKind::Exchange(_)
            | FaultKind::Store(..)
            | FaultKind::Channel(..)
            | FaultKind::ResourcesUnknown => {}
            FaultKind::Kill => self.gone(now + lasts),
            FaultKind::Terminate => self.terminate(lasts),
            FaultKind::Freeze => self.hold(&Plane::ALL, lasts),
            FaultKind::SecondProcess => self.begin_second(now + lasts),
            FaultKind::PlaneStalls(plane) => self.hold(&[plane], lasts),
            FaultKind::PartPanics(part) => self.end_part(part, &TaskEnd::Panicked("a fault".to_owned())),
            FaultKind::PartEnds(part) => self.end_part(part, &TaskEnd::Finished),
            FaultKind::WallStep(by) => {
                self.executor.step_wall(by);
                self.wall_steps.push((now, by));
            }
            FaultKind::Job(fault) => self.begin_job_fault(fault, lasts),
        }
    }

    fn hold(&mut self, planes: &[Plane], lasts: Duration) {
        if matches!(self.state, State::Down { .. }) {
            return;
        }
        let from = self.executor.now();
        for plane in planes {
            self.executor.hold(self.number, *plane, lasts);
            self.held.push(Hold {
                plane: *plane,
                from,
                until: from + lasts,
                is_freeze: planes == Plane::ALL,
            });
        }
    }

    fn end_part(&mut self, part: Part, end: &TaskEnd) {
        if self.executor.end_part(self.number, part.name(), end) {
            self.ended.push(part.name());
        }
    }

    fn terminate(&mut self, away: Duration) {
        let since = self.executor.now();
        match std::mem::replace(&mut self.state, State::Down { until: since + away }) {
            State::Up(process) => {
                process.terminate(self.plan.promised.stop_within);
                self.state = State::Stopping { process, since, away };
            }
            other => self.state = other,
        }
    }

    /// Stops the process, and checks the whole run.
    fn finish(mut self) -> Outcome {
        self.judge_recoveries();
        if self.is_healed() {
            self.judge_end();
        }
        self.terminate(Duration::MAX);
        let by = self.executor.now() + self.plan.promised.stop_within + Duration::from_secs(1);
        self.advance(by);
        self.manage();
        if matches!(self.state, State::Up(_) | State::Stopping { .. }) && self.held.is_empty() {
            self.verdicts.broken("the process was ordered to stop and did not");
        }
        if self.second.as_ref().is_some_and(Second::can_stop) {
            self.verdicts.broken("a second process was ordered to stop and did not");
        }
        let ledger = self.world.history.ledger(0);
        let stepped = self.faults.faults().iter().any(|fault| matches!(fault.kind, FaultKind::WallStep(_)));
        if ledger.collided > 0 && !stepped {
            self.verdicts.broken(format_args!("{} samples had the identity of another one", ledger.collided));
        }
        self.world.judge_held();
        let (count, mut broken) = self.verdicts.all();
        if count > broken.len() as u64 {
            broken.push(format!("and {} more", count - broken.len() as u64));
        }
        let recoveries = self.recoveries();
        let runtime = self.executor.runtime();
        Outcome {
            hash: runtime.trace_hash(),
            polls: self.executor.polls(),
            availability: self.availability,
            own: self.own,
            requests: self.world.exchange.counts(),
            samples: ledger,
            tokens: self.world.tokens.durable().len(),
            boots: self.boots,
            restarts: self.restarts(),
            takeovers: self.takeovers,
            refusals: self.world.succession.refusals(),
            lapses: self.world.succession.lapses().len(),
            stops: self.stops,
            reached: self.health.reached,
            broken,
            recoveries,
            told: self.world.telling.told(),
            last_events: runtime.last_events(),
        }
    }
}
