//! Shows the oracle of health, in every slot, what is true of the world beside what the process says of itself. It judges
//! nothing.

use std::time::Duration;

use ttm_health::{HealthView, Phase, Report};
use ttm_kernel::{Clock, Moment};
use ttm_service::{Board, StoreUse};

use super::state::{LOSS, Simulation, State, WELL_WITHIN};
use crate::oracle::health::{HeardTruth, Truth, UseTruth, judge};
use crate::process::Process;
use crate::world::Heard;
use crate::{ExchangeFault, Fault, FaultKind, Plane, StoreTable};

/// A report is made within this after its turn: what is measured before it may not answer.
const REPORT_LATE: Duration = Duration::from_secs(6);
/// A process that is away for no longer leaves nothing too old.
const SHORT: Duration = Duration::from_secs(30);
/// A share of errors that hovers about its thresholds may cross both of them once in so long.
const HOVERS: Duration = Duration::from_mins(20);
/// A round of a lane that takes no longer keeps its tokens fresh.
const FITS: Duration = Duration::from_mins(1);
/// Timers are this late at most.
const TIMERS_LATE: Duration = Duration::from_millis(10);

impl Simulation<'_> {
    /// Holds the newest report against the world.
    pub(super) fn judge_health(&mut self) {
        let now = self.executor.now();
        let (process, stop) = match &self.state {
            State::Up(process) => (process, self.part_ended),
            State::Stopping { process, since, .. } => (process, Some(*since)),
            State::Down { .. } => return,
        };
        let number = process.number();
        if self.health.judged.is_none_or(|(judged, _)| judged != number) {
            self.health.boots.push(self.booted);
            self.health.given_up.clear();
        }
        for (name, counts) in [(StoreUse::Samples, process.samples()), (StoreUse::Events, process.events())] {
            let dropped = counts.map_or(0, |counts| counts.dropped);
            self.health.given_up.entry(name.as_str()).or_default().count(dropped, now);
        }
        let mut report = Report::clone(&process.board().report());
        if let Some(misreport) = self.plan.misreport {
            misreport(&mut report);
        }
        // A start says what it waits for, and not since when.
        let made = if report.uptime.is_zero() { now } else { self.booted + report.uptime };
        let every = self.plan.settings.report_interval + REPORT_LATE;
        let (held, released) = self.held(Plane::Supervision, now);
        let is_due = stop.is_none() && held.is_none() && released + every < now;
        if made > now || is_due && made + every < now {
            self.verdicts.broken(format_args!("health: shown at {now:?} is a report of {made:?}"));
        }
        let is_judged = self.health.judged.replace((number, report.uptime)) == Some((number, report.uptime));
        if is_judged && !report.uptime.is_zero() {
            return;
        }
        // That a part ended is noticed once its plane runs. That it stops the newest report says at once, whenever it was made.
        let is_noticed =
            |since: &Moment| report.phase == Phase::Stopping || *since <= made && self.held.is_empty();
        let stopping_for = stop.filter(is_noticed).map(|since| made - since.min(made));
        let mut truth = self.truth(process, made, stopping_for);
        truth.wall = truth.wall.filter(|_| !report.uptime.is_zero());
        if self.is_damaged(number, made) {
            self.health.waited = Some(made);
        }
        for lie in judge(&truth, &report) {
            self.verdicts.broken(format_args!("{lie}, at {made:?}"));
        }
        self.reach(&report);
        let (boots, faults) = (&self.health.boots, self.faults.faults());
        let causes = |from: Moment, to: Moment| {
            let edges = faults.iter().flat_map(|fault| [fault.begins(), fault.until()]);
            let edges =
                edges.chain(boots.iter().copied()).filter(|edge| from <= *edge && *edge <= to).count();
            let partial = faults
                .iter()
                .filter(|fault| matches!(fault.kind, FaultKind::Exchange(fault) if !fault.is_down()));
            let hovering =
                partial.map(|fault| fault.until().min(to) - fault.begins().max(from)).sum::<Duration>();
            edges + usize::try_from(hovering.as_secs() / HOVERS.as_secs()).unwrap_or(usize::MAX)
        };
        self.verdicts.check(self.health.flapping.observe(now, &report, causes));
    }

    fn reach(&mut self, report: &Report) {
        let reached = &mut self.health.reached;
        reached.insert(format!("health {}", report.status));
        reached.extend(report.apis.circuit_breaker_state.map(|state| format!("breaker {}", state.as_str())));
        reached.extend(report.store.uses.iter().map(|each| format!("{} {}", each.name, each.status)));
    }

    /// What is true at a moment of the last minute.
    fn truth(&self, process: &Process, at: Moment, stopping_for: Option<Duration>) -> Truth {
        let now = self.executor.now();
        let (supervision_held, supervision_runs) = self.held(Plane::Supervision, at);
        let (work_held, work_runs) = self.held(Plane::Work, at);
        let (main_held, main_runs) = self.held(Plane::Main, at);
        let runs = if supervision_held.is_none() && work_held.is_none() {
            supervision_runs.max(work_runs)
        } else {
            at
        };
        let is_stepped = self.faults.any_between(at, now, |kind| matches!(kind, FaultKind::WallStep(_)));
        let kept = self.last_disturbed(at, |fault| {
            matches!(fault.kind, FaultKind::Exchange(_) | FaultKind::Store(..) | FaultKind::WallStep(_))
        });
        let could_start = kept
            .unwrap_or_default()
            .max(runs)
            .max(if main_held.is_some() { at } else { main_runs })
            .max(self.booted);
        let disturbed = self.last_disturbed(at, |fault| match fault.kind {
            // One that comes soon after another leaves no time to refresh anything.
            FaultKind::Kill | FaultKind::Terminate => {
                let soon = |other: &Fault| other.at < fault.at && fault.at < other.at + 4 * SHORT;
                let is_restart = |kind| matches!(kind, FaultKind::Kill | FaultKind::Terminate);
                let others = self.faults.faults().iter().filter(|other| is_restart(other.kind));
                fault.lasts > SHORT || others.into_iter().any(soon)
            }
            FaultKind::PartPanics(_) | FaultKind::PartEnds(_) => false,
            _ => true,
        });
        // What was not stored meanwhile is old when the next process finds it.
        let disturbed = disturbed.max(self.health.waited);
        let unmeasured = self.last_disturbed(at, |fault| fault.kind == FaultKind::ResourcesUnknown);
        let resources = match self.faults.resources_unknown_since(at) {
            Some(since) => (false, at - since.max(self.booted)),
            None => (true, at - unmeasured.unwrap_or_default().max(self.booted)),
        };
        let down = |is_down: fn(ExchangeFault) -> bool| {
            self.faults.exchange_since(at, is_down).map(|since| at - since.max(runs))
        };
        let is_damaged = self.is_damaged(process.number(), at);
        // With more tokens than turns not all can be fresh, and that is said.
        let fits = process.board().plan().is_none_or(|plan| plan.hot.cycle.max(plan.cold.cycle) <= FITS);
        let [pools, profiles] =
            self.world.exchange.heard(process.number(), at).map(|heard| heard_before(heard, at));
        Truth {
            wall: (!is_stepped).then(|| self.executor.wall() - (now - at)),
            stopping_for,
            could_start_for: at - could_start,
            // A pause of the plane that watches grants everything its time anew.
            work_held_for: work_held.map(|since| at - since.max(supervision_runs + TIMERS_LATE)),
            work_runs_for: if work_held.is_some() {
                Duration::ZERO
            } else {
                at - work_runs.max(supervision_runs)
            },
            runs_for: at - runs,
            api_down_for: down(ExchangeFault::is_down),
            api_fails_for: down(ExchangeFault::fails_calls),
            api_silent_for: down(ExchangeFault::is_silent),
            api_unreadable_for: down(ExchangeFault::is_unreadable),
            pools,
            profiles: self.plan.profiles.then_some(profiles),
            resources,
            uses: self.uses(process.number(), at, at - supervision_runs),
            tokens: (Board::tokens(process.board()), self.plan.settings.market.hot_threshold()),
            is_calm: fits && !is_damaged && disturbed.is_none_or(|disturbed| disturbed + WELL_WITHIN <= at),
        }
    }

    /// Whether the process met damage, which ends every use of its store, whichever met it, until a person acts.
    fn is_damaged(&self, process: u32, at: Moment) -> bool {
        self.world.told(process, at).iter().any(|(.., told)| told.corrupt)
    }

    /// What the process was told of each use of the store.
    fn uses(&self, process: u32, at: Moment, watched_for: Duration) -> Vec<UseTruth> {
        let late = self.plan.settings.report_interval + REPORT_LATE;
        let told = self.world.told(process, at);
        let is_damaged = self.is_damaged(process, at);
        let damage = told.iter().find(|(.., told)| told.corrupt);
        let damage = damage.map(|(.., told)| told.error.clone().unwrap_or_default());
        told.into_iter()
            .filter_map(|(table, writes, since, told)| {
                let name = match (table, writes) {
                    (StoreTable::Tokens, false) => StoreUse::TokenReads,
                    // Who follows lists writes tokens for two reasons, and nobody outside can tell which.
                    (StoreTable::Tokens, true) if !self.plan.profiles => StoreUse::TokenWrites,
                    (StoreTable::Breakers, true) => StoreUse::Breakers,
                    (StoreTable::Samples, true) => StoreUse::Samples,
                    (StoreTable::Events, true) => StoreUse::Events,
                    _ => return None,
                };
                let given_up = self.health.given_up.get(name.as_str());
                let is_losing = given_up.map_or(Some(false), |given_up| given_up.is_losing(at, late));
                Some(UseTruth {
                    name: name.as_str(),
                    failing_for: told.failing_since.map(|since| at - since),
                    error: told.error,
                    told_for: at - since,
                    damage: damage.clone().filter(|_| !told.corrupt),
                    gave_up: told.corrupt,
                    // Who did not watch may have noticed late.
                    is_losing: is_losing
                        // Damage that another use met ends this one too, as soon as it has something to do.
                        .filter(|_| !is_damaged || told.corrupt)
                        .filter(|losing| *losing || watched_for > LOSS + late || given_up.is_none()),
                })
            })
            .collect()
    }

    /// When a fault of these was on last, which is now while one is.
    fn last_disturbed(&self, at: Moment, is_one: impl Fn(&Fault) -> bool) -> Option<Moment> {
        let begun = self.faults.faults().iter().take_while(|fault| fault.begins() <= at);
        begun.filter(|fault| is_one(fault)).map(|fault| fault.until().min(at)).max()
    }

    /// Since when a plane of the present process is held, if it is, and since when it ran before that or runs.
    fn held(&self, plane: Plane, at: Moment) -> (Option<Moment>, Moment) {
        let of_plane = self.held.iter().filter(|hold| hold.plane == plane && hold.from <= at);
        let (mut since, mut until, mut runs) = (self.booted, self.booted, self.booted);
        for hold in of_plane {
            if hold.from > until {
                (since, runs) = (hold.from, until);
            }
            until = until.max(hold.until);
        }
        if at < until { (Some(since), runs) } else { (None, until) }
    }
}

fn heard_before(heard: Heard, at: Moment) -> HeardTruth {
    HeardTruth {
        error: heard.error.map(|(since, said)| (at - since, said)),
        answer: heard.answer.map(|since| at - since),
        answering_for: heard.answering_since.map(|since| at - since),
    }
}
