//! A stage on which a machine acts: tasks that have faults, a clock of whole seconds, and processes that follow one another
//! on one ledger. A [`Model`] judges everything that the machine does.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Epoch, Incarnation, Moment, TaskEnd};

use super::{Ends, Fault, Incident, Model, Shows};
use crate::{
    Effect, Entry, Fact, Machine, Now, PartId, PartSpec, Past, RecoveryConfig, RestartRefused, Step,
};

/// A part on the stage.
#[derive(Clone, Copy, Debug)]
struct Task {
    incarnation: Incarnation,
    runs: bool,
    /// The step that it was stopped for.
    told: Option<Step>,
    fault: Option<Fault>,
}

/// The stage.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what is so for now, one by one")]
pub struct Stage {
    specs: Vec<PartSpec>,
    config: RecoveryConfig,
    machine: Machine,
    model: Model,
    tasks: Vec<Task>,
    ledger: Vec<Entry>,
    story: Vec<String>,
    effects: Vec<Effect>,
    /// Since the first process booted.
    elapsed: Duration,
    booted: Duration,
    epoch: u64,
    wall_is_off_by: i64,
    is_judged: bool,
    is_ending: bool,
    /// Whether the process does not know what the ones before did.
    is_unread: bool,
    memory_is_short: bool,
    random: u64,
    jitter: Option<f64>,
}

impl Stage {
    /// A first process with these parts, all of which get on.
    pub fn new(specs: Vec<PartSpec>, config: RecoveryConfig) -> Self {
        let model = Model::new(specs.clone(), config.clone());
        let now = now(Duration::ZERO, Duration::ZERO, 0, 0.0);
        let epoch = 1;
        let machine = Machine::boot(specs.clone(), config.clone(), Epoch::new(epoch), Past::none(), now);
        let task = Task { incarnation: Incarnation::FIRST, runs: true, told: None, fault: None };
        let mut stage = Self {
            tasks: vec![task; specs.len()],
            specs,
            config,
            machine,
            model,
            ledger: Vec::new(),
            story: Vec::new(),
            effects: Vec::new(),
            elapsed: Duration::ZERO,
            booted: Duration::ZERO,
            epoch,
            wall_is_off_by: 0,
            is_judged: true,
            is_ending: false,
            is_unread: false,
            memory_is_short: false,
            random: 1,
            jitter: None,
        };
        stage.perform();
        stage
    }

    /// All random numbers are this one.
    #[must_use]
    pub const fn with_jitter(mut self, jitter: f64) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// The machine of the process that runs.
    pub const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Everything that was recorded, by all processes.
    pub fn ledger(&self) -> &[Entry] {
        &self.ledger
    }

    /// Everything that the machines wanted done.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// What was recorded since this was asked last, a line for each decision.
    pub fn story(&mut self) -> Vec<String> {
        std::mem::take(&mut self.story)
    }

    /// Seconds since the first process booted.
    pub const fn seconds(&self) -> u64 {
        self.elapsed.as_secs()
    }

    /// The time, for a call of the machine.
    pub fn now(&mut self) -> Now {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        #[expect(clippy::cast_precision_loss, reason = "any number will do")]
        let drawn = (self.random >> 11) as f64 / (1_u64 << 53) as f64;
        now(self.elapsed, self.booted, self.wall_is_off_by, self.jitter.unwrap_or(drawn))
    }

    /// The part with this name.
    pub fn part(&self, name: &str) -> PartId {
        self.machine.find(name).expect("it is in the table")
    }

    /// The word of a part's state.
    pub fn state(&self, name: &str) -> &'static str {
        let now = Moment::from_origin(self.elapsed.saturating_sub(self.booted));
        self.machine.views(now)[self.part(name).0].state.as_str()
    }

    /// From now on a part has this fault.
    pub fn fault(&mut self, name: &str, shows: Shows, ends: Ends, helped_by: Option<Step>) {
        let part = self.part(name);
        self.happens(&Incident::Fault(part, Fault { shows, ends, helped_by }));
    }

    /// From now on a part has no fault.
    pub fn heal(&mut self, name: &str) {
        let part = self.part(name);
        self.happens(&Incident::Heal(part));
    }

    /// A person restarts a part.
    pub fn restart(&mut self, name: &str) -> Result<(), RestartRefused> {
        let (part, now) = (self.part(name), self.now());
        let answer = self.machine.restart(part, now).map(drop);
        self.perform();
        answer
    }

    /// Lets time pass, second by second.
    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.tick();
        }
    }

    /// Makes something happen.
    pub fn happens(&mut self, incident: &Incident) {
        match *incident {
            Incident::Pass(seconds) => self.pass(seconds),
            Incident::Fault(part, fault) => self.tasks[part.0].fault = Some(fault),
            Incident::Heal(part) => self.tasks[part.0].fault = None,
            Incident::Outage(on) => {
                let shows = Shows::Waits(on);
                for part in self.depending(on) {
                    self.tasks[part].fault = Some(Fault { shows, ends: Ends::WhenTold, helped_by: None });
                }
            }
            Incident::Back(on) => {
                for part in self.depending(on) {
                    let waits = |fault: &mut Fault| fault.shows == Shows::Waits(on);
                    self.tasks[part].fault.take_if(waits);
                }
            }
            Incident::Pause(seconds) => {
                let lasted = Duration::from_secs(seconds);
                self.elapsed += lasted;
                let now = self.now();
                self.model.paused(lasted, now.moment);
                self.machine.handle_pause(lasted, now);
            }
            Incident::Restart(part) => {
                let now = self.now();
                drop(self.machine.restart(part, now));
            }
            Incident::StuckThread => {
                let now = self.now();
                self.machine.handle_stuck_thread("a request was aborted and goes on", now);
            }
            Incident::Memory(is_short) => self.memory_is_short = is_short,
            Incident::Zombie(part) => self.zombie(part),
            Incident::Wall(by) => {
                self.wall_is_off_by += by;
                // The next process goes by the wall clock, and the judge does not.
                self.is_judged = false;
            }
            Incident::Reconfigure(ref config) => {
                self.config = config.clone();
                self.model.reconfigured(config.clone());
                self.machine.reconfigure(config.clone());
            }
            Incident::Crash => self.boot(Step::EndProcess, 5, false),
            Incident::Unread => self.boot(Step::EndProcess, 5, true),
            Incident::Recall => self.recall(),
            Incident::Stop => {
                let now = self.now();
                self.machine.close_all(now);
                self.perform();
                self.boot(Step::EndProcess, 5, false);
            }
        }
        self.perform();
    }

    fn depending(&self, on: &str) -> Vec<usize> {
        let depends = |part: &usize| self.specs[*part].depends_on.contains(&on);
        (0..self.specs.len()).filter(depends).collect()
    }

    /// What an older incarnation of a part does counts no more.
    fn zombie(&mut self, part: PartId) {
        let Some(older) = self.tasks[part.0].incarnation.number().checked_sub(1) else { return };
        let (older, now) = (Incarnation::new(older), self.now());
        let before = self.machine.views(now.moment);
        self.machine.handle_progress(part, older, now.moment, now);
        self.machine.handle_waiting(part, older, "store", now.moment, now.moment);
        self.machine.handle_ended(part, older, &TaskEnd::Finished, now);
        assert_eq!(self.machine.views(now.moment), before, "a zombie was heard");
        assert_eq!(self.machine.poll_effect(), None, "a zombie was heard");
    }

    fn tick(&mut self) {
        self.elapsed += Duration::from_secs(1);
        for part in 0..self.tasks.len() {
            self.act(PartId(part));
        }
        let now = self.now();
        let short = self.memory_is_short.then_some("memory is short");
        self.machine.handle_memory(short, now);
        self.machine.handle_timeout(now);
        self.perform();
        let now = self.now();
        let verdict = self.model.passes(&self.machine, self.elapsed, now.moment);
        self.heed(verdict, &"time passes");
        if self.is_ending {
            self.machine.close_all(now);
            self.perform();
            self.boot(Step::EndProcess, 5, false);
        }
    }

    /// A task does what it does each second.
    fn act(&mut self, part: PartId) {
        let task = self.tasks[part.0];
        if !task.runs || self.is_ending {
            return;
        }
        let now = self.now();
        let shows = task.fault.map_or(Shows::Progress, |fault| fault.shows);
        if self.ends_as_told(part) {
            self.end(part, &TaskEnd::Finished);
        } else if shows == Shows::Panics {
            self.end(part, &TaskEnd::Panicked("oh no".to_owned()));
        } else if shows == Shows::Progress {
            self.model.progress(part, now.moment);
            self.machine.handle_progress(part, task.incarnation, now.moment, now);
        } else if let Shows::Waits(on) = shows {
            self.model.waits(part, on, now.moment);
            self.machine.handle_waiting(part, task.incarnation, on, now.moment, now.moment);
        }
        self.perform();
    }

    fn ends_as_told(&self, part: PartId) -> bool {
        let task = self.tasks[part.0];
        // A group ends when the task that runs it says so.
        let runs = |outer: PartId| self.tasks[outer.0];
        let hangs = |task: Task| task.fault.is_some_and(|fault| fault.ends == Ends::Never);
        if self.specs[part.0].within.is_some_and(|outer| hangs(runs(outer))) {
            return false;
        }
        match (task.told, task.fault.map(|fault| fault.ends)) {
            (None, _) | (Some(_), Some(Ends::Never)) => false,
            (Some(step), Some(Ends::WhenAborted)) => step == Step::Emergency,
            (Some(_), Some(Ends::WhenTold) | None) => true,
        }
    }

    fn end(&mut self, part: PartId, end: &TaskEnd) {
        let incarnation = self.tasks[part.0].incarnation;
        let told = self.tasks[part.0].told;
        self.tasks[part.0].runs = false;
        for inner in self.within(part) {
            (self.tasks[inner].runs, self.tasks[inner].told) = (false, told);
            self.model.ended(PartId(inner));
        }
        self.model.ended(part);
        let now = self.now();
        self.machine.handle_ended(part, incarnation, end, now);
    }

    fn within(&self, outer: PartId) -> Vec<usize> {
        (0..self.specs.len()).filter(|part| self.specs[*part].within == Some(outer)).collect()
    }

    /// Does what the machine wants done.
    fn perform(&mut self) {
        while let Some(effect) = self.machine.poll_effect() {
            let now = self.now().moment;
            let verdict = self.model.judge(&effect, self.elapsed, now);
            self.heed(verdict, &effect);
            match &effect {
                Effect::Record(entry) => self.record(entry),
                Effect::Stop { part, .. } => self.tasks[part.0].told = Some(Step::Graceful),
                Effect::Abort { part, .. } => self.tasks[part.0].told = Some(Step::Emergency),
                Effect::Start { part, incarnation } => self.start(*part, *incarnation),
                Effect::RebuildPlane => {
                    for part in (0..self.specs.len()).filter(|part| self.specs[*part].on_work_plane) {
                        (self.tasks[part].runs, self.tasks[part].told) = (false, Some(Step::RebuildPlane));
                    }
                }
                Effect::EndProcess { .. } => self.is_ending = true,
            }
            self.effects.push(effect);
        }
    }

    fn heed(&self, verdict: Result<(), String>, at: &dyn fmt::Debug) {
        if let Some(broken) = verdict.err().filter(|_| self.is_judged) {
            panic!("{broken}\nat {} s: {at:?}\nafter:\n{}", self.seconds(), self.story.join("\n"));
        }
    }

    fn start(&mut self, part: PartId, incarnation: Incarnation) {
        let task = &mut self.tasks[part.0];
        let step = task.told.take().unwrap_or(Step::Start);
        task.fault.take_if(|fault| fault.helped_by.is_some_and(|helps| helps <= step));
        (task.incarnation, task.runs) = (incarnation, true);
    }

    fn record(&mut self, entry: &Entry) {
        let what = match &entry.fact {
            Fact::Booted | Fact::Closed | Fact::Spent => entry.fact.kind().to_owned(),
            Fact::Began { by, .. } => format!("began by {}", by.as_str()),
            Fact::Step { step, charged } => format!("{step}{}", if *charged { ", charged" } else { "" }),
            Fact::Withheld { dependency, .. } => format!("withheld for {dependency}"),
            Fact::Ended { outcome, .. } => outcome.to_string(),
        };
        self.story.push(format!("{} {} {what}", self.seconds(), entry.subject));
        self.ledger.push(entry.clone());
    }

    /// What the processes before did is known only now.
    fn recall(&mut self) {
        if std::mem::take(&mut self.is_unread) {
            let now = self.now();
            self.model.recalled();
            self.machine.recall(self.past(now), now);
        }
    }

    fn past(&self, now: Now) -> Past {
        let before = |entry: &&Entry| entry.key.epoch < Epoch::new(self.epoch);
        Past::replay(self.ledger.iter().filter(before), now).expect("what was recorded is a legal past")
    }

    /// The process is gone, and another one boots so many seconds later.
    fn boot(&mut self, step: Step, after: u64, is_unread: bool) {
        self.elapsed += Duration::from_secs(after);
        self.booted = self.elapsed;
        self.epoch += 1;
        (self.is_ending, self.is_unread) = (false, is_unread);
        self.memory_is_short = false;
        for task in &mut self.tasks {
            task.fault.take_if(|fault| fault.helped_by.is_some_and(|helps| helps <= step));
            *task = Task { incarnation: Incarnation::FIRST, runs: true, told: None, ..*task };
        }
        let now = self.now();
        self.model.booted(is_unread, now.moment);
        let past = if is_unread { Past::unread() } else { self.past(now) };
        let (specs, config) = (self.specs.clone(), self.config.clone());
        self.machine = Machine::boot(specs, config, Epoch::new(self.epoch), past, now);
        self.perform();
    }
}

fn now(elapsed: Duration, booted: Duration, wall_is_off_by: i64, jitter: f64) -> Now {
    let seconds = i64::try_from(elapsed.as_secs()).expect("no test takes that long") + wall_is_off_by;
    let wall = Timestamp::from_second(1_800_000_000 + seconds).expect("in range");
    Now { moment: Moment::from_origin(elapsed.saturating_sub(booted)), wall, jitter }
}
