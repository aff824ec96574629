//! Watches the parts and restarts them: gives the machine of [`ttm_recovery`] its facts, and does what it decides. It decides
//! nothing itself.

use std::sync::Arc;
use std::time::Duration;

use ttm_breaker::State as BreakerState;
use ttm_health::ResourceSample;
use ttm_kernel::{Entropy, Epoch, Incarnation, Lane, Moment, Runtime, TaskEnd};
use ttm_recovery::{By, Effect, Entry, Fact, Machine, Now, PartId, RestartRefused, State};
use ttm_schedule::LaneStatus;

use super::crew::Crew;
use super::log::log;
use crate::by_hand::{Order, Orders};
use crate::ended::Failure;
use crate::ledger::{Found, Ledger};
use crate::life::Author;
use crate::parts::{Part, Runs};
use crate::pause::{LATE, pause};
use crate::ports::Controls;
use crate::resident::Resident;
use crate::series::sample;
use crate::settings::{LEASE, POOLS};
use crate::vigil::Vigil;
use crate::vital::Signs;
use crate::{ServiceSettings, by_hand, evidence};

/// How often the parts are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// An aborted request has ended by then, or keeps a thread.
const ABORTED_WITHIN: Duration = Duration::from_secs(5);
/// From this share of its limit on the process should not go on for long.
const MEMORY_SHORT: f64 = 0.9;
/// A sample of the memory counts for so long. Where it is measured less often, the process is not ended for it.
const SAMPLE_COUNTS: Duration = Duration::from_secs(150);
/// A critical part may be late for so long before the process counts as dead: every step that could be taken was.
const STEP_PATIENCE: Duration = Duration::from_secs(45);

/// The healing of a service that has started.
pub(super) struct Healing {
    machine: Machine,
    ledger: Ledger,
    resident: Arc<Resident>,
    runtime: Arc<dyn Runtime>,
    jitter: Arc<dyn Entropy>,
    orders: Orders,
    vigil: Vigil,
    next_look: Moment,
    /// An entry whose evidence is being gathered.
    gathering: Option<Entry>,
    /// How long the machine had been suspended at the last look.
    suspended: Duration,
}

enum Wake {
    Ended(PartId, Incarnation, TaskEnd),
    Order(Order),
    Look,
}

impl Healing {
    /// Of these parts, which start now. What operators may do is returned with it.
    pub(super) async fn begin(
        parts: &[Part],
        resident: &Arc<Resident>,
        runtime: &Arc<dyn Runtime>,
        vigil: &Vigil,
    ) -> (Self, Controls) {
        let Resident { ports, board, clock, disk, epoch, settings, .. } = &**resident;
        let jitter = runtime.entropy("recovery");
        let now = Now { moment: runtime.now(), wall: runtime.wall(), jitter: jitter.unit() };
        let mut ledger = Ledger::new(ports, board, clock, disk, *epoch);
        let found = ledger.read(now).await;
        tell(resident, &found, now.moment);
        let machine = machine(parts, settings, *epoch, found.past, now);
        #[cfg(feature = "test-faults")]
        let machine = crate::faults::hurried(machine);
        let (controls, orders) = by_hand::controls(resident, ledger.shown.clone());
        let (resident, next_look) = (resident.clone(), runtime.now() + LOOK_EVERY);
        let (runtime, vigil) = (runtime.clone(), vigil.clone());
        let suspended = runtime.suspended();
        (
            Self {
                machine,
                ledger,
                resident,
                runtime,
                jitter,
                orders,
                vigil,
                next_look,
                gathering: None,
                suspended,
            },
            controls,
        )
    }

    fn now(&self) -> Now {
        Now { moment: self.runtime.now(), wall: self.runtime.wall(), jitter: self.jitter.unit() }
    }

    /// Watches until the process ends, and returns why. It may be dropped at any point: what it decided is in the machine, and
    /// what it has to say waits in the ledger.
    pub(super) async fn watch(&mut self, crew: &mut Crew) -> Failure {
        loop {
            let failure = self.carry_out(crew).await;
            if let Some(error) = self.ledger.fenced() {
                // A keeper of the lease that hangs does not find out, and writers wait for the lease before they would.
                self.resident.lease.fenced(error);
            }
            if let Some(failure) = failure {
                let lost = self.resident.lease.lost();
                return lost.map_or(failure, |reason| Failure::Superseded(reason.to_owned()));
            }
            self.show();
            let look = self.runtime.sleep_until(self.next_look);
            let wake = tokio::select! {
                biased;
                (id, incarnation, end) = crew.has_ended_one() => Wake::Ended(id, incarnation, end),
                Some(order) = self.orders.recv() => Wake::Order(order),
                () = look => Wake::Look,
            };
            match wake {
                Wake::Ended(id, incarnation, end) => {
                    if let Some(reason) = self.resident.lease.lost() {
                        // No start of a part brings the store back.
                        return Failure::Superseded(reason.to_owned());
                    }
                    self.machine.handle_ended(id, incarnation, &end, self.now());
                }
                Wake::Order(Order { part, answer }) => {
                    let restarted = self.restart(&part);
                    // Who ordered it may be gone.
                    drop(answer.send(restarted));
                }
                Wake::Look => {
                    self.look(crew);
                    self.recall();
                    self.ledger.tend().await;
                }
            }
        }
    }

    /// Takes into account what the processes before did, if that could not be read at the start and now can.
    fn recall(&mut self) {
        let now = self.now();
        let Some(found) = self.ledger.recall(now) else { return };
        tell(&self.resident, &found, now.moment);
        if found.problem.is_none() {
            tracing::info!("the ledger of recoveries was read; budgets count as they were spent");
        }
        self.machine.recall(found.past, now);
    }

    fn restart(&mut self, part: &str) -> Result<ttm_recovery::EntryKey, RestartRefused> {
        let Some(id) = self.machine.find(part) else {
            let known = self.resident.board.parts().into_iter().map(|part| part.name);
            let known = known.collect::<Vec<_>>().join(", ");
            return Err(RestartRefused::Unknown { part: part.to_owned(), known });
        };
        self.machine.restart(id, self.now())
    }

    /// Tells the machine what there is to see.
    fn look(&mut self, crew: &Crew) {
        let (now, due) = (self.now(), self.next_look);
        self.next_look = now.moment + LOOK_EVERY;
        let suspended = self.runtime.suspended();
        let slept = suspended.saturating_sub(self.suspended);
        self.suspended = suspended;
        if slept > LATE {
            // No deadline of ours has moved, but those of others have: connections and leases are gone.
            self.machine.handle_pause(slept, now);
            self.resident.events.paused(slept);
            tracing::warn!(slept_s = slept.as_secs_f64(), "the machine was suspended");
        }
        if now.moment - due > LATE {
            if let Some(lasted) = pause(due, now.moment, &self.resident.pulse) {
                self.machine.handle_pause(lasted, now);
                self.resident.events.paused(lasted);
            }
            // Whatever is late may be so because of what made this look late: what runs again has a second to show it.
            return;
        }
        for (id, incarnation, signs) in crew.signs() {
            if let Some(at) = signs.progress {
                self.machine.handle_progress(id, incarnation, at, now);
            }
            if let Some(waits) = signs.waits {
                let at = waits.tried_at.unwrap_or(now.moment);
                self.machine.handle_waiting(id, incarnation, waits.on, waits.since, at);
            }
        }
        let held = self.resident.guard.breaker().snapshot(now.moment).state == BreakerState::ForcedOpen;
        let commands = &self.resident.settings.commands;
        self.machine.handle_reason(POOLS, held.then(|| commands.held_open(POOLS)));
        let lapsed = self.resident.lease.lapsed_since();
        self.machine.handle_reason(LEASE, lapsed.map(|_| format!("{LEASE} could not be renewed")));
        for (id, lane) in crew.groups() {
            let incarnation = self.machine.incarnation(id);
            if self.resident.groups.ended(lane, incarnation) {
                self.machine.handle_ended(id, incarnation, &TaskEnd::Finished, now);
                continue;
            }
            let Some(status) = self.resident.board.group(lane) else { continue };
            // What starts with nothing due has nothing to show before its next run.
            let idle_since = self.resident.groups.idle_since(lane, incarnation);
            if let Some(at) = status.last_progress.max(idle_since) {
                self.machine.handle_progress(id, incarnation, at, now);
            }
            // Whatever else is wrong: without the lease nothing may be asked for.
            if let Some(since) = lapsed {
                self.machine.handle_waiting(id, incarnation, LEASE, since, now.moment);
                continue;
            }
            // What hangs, or panics, in a request of ours may be all that is left to find out whether the API is back.
            let hangs =
                self.resident.flights.overdue(self.resident.settings.request_hangs_after(), now.moment);
            let held_up = held_up(&status).or_else(|| self.fails_from_outside(lane, &status, now.moment));
            let panics = self.resident.board.panics_since_heard_of(POOLS, lane);
            if let Some((since, at)) = held_up.filter(|_| !hangs && !panics) {
                self.machine.handle_waiting(id, incarnation, POOLS, since, at);
            }
        }
        if let Some(stuck) = self.resident.flights.stuck(ABORTED_WITHIN, now.moment) {
            let since = (now.moment - stuck.since).as_secs();
            let cause = format!(
                "a request for {} {} tokens keeps a thread; it began {since} s ago",
                stuck.tokens, stuck.priority
            );
            self.machine.handle_stuck_thread(&cause, now);
        }
        // One sample says nothing about the minutes after it.
        let sample = self.resident.board.fresh_resources(SAMPLE_COUNTS);
        self.machine.handle_memory(sample.as_ref().and_then(memory_short).as_deref(), now);
        self.machine.handle_timeout(now);
    }

    /// Since when a group whose runs begin makes no progress because the API gives nothing but errors, and now. A run that got to none
    /// of its tokens meanwhile does not say so itself: the other group, or a pause that is over, left it no turn.
    fn fails_from_outside(&self, lane: Lane, status: &LaneStatus, now: Moment) -> Option<(Moment, Moment)> {
        let failing = self.resident.board.api_failing_for(POOLS)?;
        let interval = self.resident.settings.schedule.interval(lane);
        let ticks = status.last_started.is_some_and(|at| now - at < 2 * interval + LATE);
        ticks.then(|| (now.saturating_sub(failing), now))
    }

    /// Shows readers what is known of the parts, and how long they need nobody.
    fn show(&self) {
        self.vigil.parts_until(self.machine.alive_until(STEP_PATIENCE));
        let views = self.machine.views(self.runtime.now());
        for view in &views {
            let runs = matches!(view.state, State::Running | State::Starting | State::Degraded);
            metrics::gauge!("ttm_part_up", "part" => view.name.clone()).set(f64::from(u8::from(runs)));
        }
        self.resident.board.post_budgets(self.machine.budgets(self.runtime.now(), self.runtime.wall()));
        self.resident.board.post_parts(views, self.machine.needs_a_person().map(str::to_owned));
    }

    /// Does what the machine decided, in its order. Returns why the process ends, if it does.
    async fn carry_out(&mut self, crew: &mut Crew) -> Option<Failure> {
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Record(entry) => {
                    let part = self.machine.find(&entry.subject);
                    let signs = crew.signs().find(|(id, ..)| Some(*id) == part).map(|(.., signs)| signs);
                    self.record(entry, signs).await;
                }
                Effect::Stop { part, incarnation, deadline } => crew.stop_one(part, incarnation, deadline),
                Effect::Abort { part, incarnation } => crew.abort_one(part, incarnation),
                Effect::Start { part, incarnation } => crew.start(part, incarnation),
                Effect::RebuildPlane => {
                    if let Err(error) = crew.rebuild() {
                        let reason = format!(
                            "the work plane cannot be built anew: threads cannot be started: {error}"
                        );
                        return Some(Failure::Recovery(reason));
                    }
                }
                Effect::EndProcess { cause } => return Some(Failure::Recovery(cause)),
            }
        }
        None
    }

    async fn record(&mut self, mut entry: Entry, signs: Option<Signs>) {
        if matches!(entry.fact, Fact::Began { by: By::Service, evidence: None, .. }) {
            // Kept meanwhile: a stop may come first, and a ledger without this entry has a hole.
            self.gathering = Some(entry.clone());
            let gathered = evidence::gather(&self.resident, signs, &*self.runtime).await;
            self.gathering = None;
            if let Fact::Began { evidence, .. } = &mut entry.fact {
                *evidence = Some(gathered);
            }
        }
        log(&entry);
        self.resident.events.recovery(&entry);
        if let Fact::Step { step, .. } = entry.fact {
            let (instance, labels) = (&self.resident.settings.instance, [&*entry.subject, step.as_str()]);
            let step = sample(instance, "recovery.step", &labels, entry.at, 1.0);
            self.resident.samples.put(Author::RESIDENT, step);
        }
        self.ledger.record(entry).await;
    }

    /// The process stops: nothing is decided any more. Orders are refused from now on, and the watchdog is fed by the supervision plane
    /// alone: a stop has a deadline of its own.
    pub(super) fn stop(&mut self) {
        self.vigil.parts_until(Moment::MAX);
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            drop(order);
        }
        if let Some(entry) = self.gathering.take() {
            log(&entry);
            self.ledger.add(entry);
        }
        self.machine.close_all(self.now());
        while let Some(effect) = self.machine.poll_effect() {
            if let Effect::Record(entry) = effect {
                log(&entry);
                self.ledger.add(entry);
            }
        }
    }

    /// Stores what the ledger does not have, or has the local file keep it, within this time.
    pub(super) async fn close(&mut self, patience: Duration) {
        if self.resident.lease.lost().is_none() {
            self.ledger.close(patience).await;
        }
    }

    /// Whether a part does not get on, and nothing excuses it.
    pub(super) fn is_stuck(&self, id: PartId) -> bool {
        let views = self.machine.views(self.runtime.now());
        views.get(id.0).is_some_and(|view| matches!(view.state, State::Stuck | State::Escalated))
    }

    /// The incarnation that a part has, or had last.
    pub(super) fn incarnation(&self, id: PartId) -> Incarnation {
        self.machine.incarnation(id)
    }
}

fn machine(
    parts: &[Part],
    settings: &ServiceSettings,
    epoch: Epoch,
    past: ttm_recovery::Past,
    now: Now,
) -> Machine {
    // The task that works on the groups is the one right before them.
    let first = parts.iter().position(|part| matches!(part.runs, Runs::Group(_)));
    let works = first.and_then(|at| at.checked_sub(1)).map(PartId);
    let specs = parts.iter().map(|part| part.spec(works, settings)).collect();
    Machine::boot(specs, settings.recovery.clone(), epoch, past, now)
}

/// Says what is wrong with the ledger, if anything is, for as long as budgets count as spent because of it. An event says of it that it
/// was set aside, which is done once, and not to one that is away.
fn tell(resident: &Resident, Found { past, problem, .. }: &Found, now: Moment) {
    if let Some(problem) = problem.as_ref().filter(|_| past.is_lost()) {
        resident.events.ledger_set_aside(problem);
    }
    resident.board.post_set_aside(past.spent_until(now).zip(problem.clone()));
}

/// Since when a group makes no progress for want of the API, and when it last said so. `None` if it has got on since.
fn held_up(status: &LaneStatus) -> Option<(Moment, Moment)> {
    let at = status.last_held_up.max(status.withheld_since)?;
    let since = status.withheld_since.unwrap_or(at);
    (Some(at) > status.last_progress).then_some((since, at))
}

/// What is said of a process whose memory is short.
fn memory_short(sample: &ResourceSample) -> Option<String> {
    let (used, limit) = (sample.memory_bytes?, sample.memory_limit_bytes?);
    #[cfg(feature = "test-faults")]
    let limit = crate::faults::memory_limit(limit);
    let share = used as f64 / limit as f64;
    (share >= MEMORY_SHORT).then(|| {
        format!("the process uses {} MiB of memory, {:.0} % of its limit", used >> 20, share * 100.0)
    })
}
