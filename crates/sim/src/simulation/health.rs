//! Passes the health oracle, in every slot, the newest report and the truth about the world when it was made. The
//! truth comes from the schedule and the simulated ports, and never from the process.

use std::ops::RangeInclusive;
use std::time::Duration;

use ttm_health::{HealthView, Phase, Report};
use ttm_kernel::{Clock, Moment};
use ttm_service::{Board, StoreUse};

use super::jobs::SETTLES;
use super::state::{LOSS, RECOVERED_WITHIN, Simulation, State};
use crate::oracle::SLOT;
use crate::oracle::health::{MOST_ENDS, ResponseTruth, Truth, UseTruth, judge};
use crate::process::Process;
use crate::world::LastResponses;
use crate::{Ailment, ExchangeFault, Fault, FaultKind, Plane, StoreTable};

/// A part that ends once is started again and gets on within this time.
const RESTARTED_WITHIN: Duration = Duration::from_mins(1);
/// For so long an end of a process counts, and until the next report.
const AN_HOUR: Duration = Duration::from_mins(61);
/// What is over is told to be this late at most.
const TOLD_LATE: Duration = Duration::from_mins(15);
/// How late a report may be made: the measurements for it may time out.
const REPORT_DELAY: Duration = Duration::from_secs(6);
/// A process that is away for no longer than this leaves nothing stale.
const SHORT: Duration = Duration::from_secs(30);
/// An error rate that hovers around its thresholds may cross both of them once in this time: it has to stay below the lower one for five
/// minutes, and then to come from there to the upper one by chance. One that is at the upper one on average does so in ten.
const HOVERS: Duration = Duration::from_mins(10);
/// The longest round of a lane that keeps its tokens fresh.
const MAX_ROUND: Duration = Duration::from_mins(1);
/// A request that panicked so long ago must be told of.
const TOLD: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_mins(4);
/// The longest delay of timers.
const TIMER_DELAY: Duration = Duration::from_millis(10);

impl Simulation<'_> {
    /// Checks the newest report against the world.
    pub(super) fn judge_health(&mut self) {
        let now = self.executor.now();
        let (process, ordered) = match &self.state {
            State::Up(process) => (process, None),
            State::Stopping { process, since, .. } => (process, Some(*since)),
            State::Down { .. } => return,
        };
        let number = process.number();
        let stop = ordered.or_else(|| self.ends_since(process, now));
        self.health.ends = stop.filter(|_| ordered.is_none()).map(|since| (number, since));
        if self.health.judged.is_none_or(|(judged, _)| judged != number) {
            self.health.boots.push(self.booted);
            self.health.dropped.clear();
        }
        for (name, counts) in [(StoreUse::Samples, process.samples()), (StoreUse::Events, process.events())] {
            let dropped = counts.map_or(0, |counts| counts.dropped);
            if self.health.dropped.entry(name.as_str()).or_default().count(dropped, now) {
                self.health.losses.push(now);
            }
        }
        let mut report = Report::clone(&process.board().report());
        if let Some(misreport) = self.plan.misreport {
            misreport(&mut report);
        }
        // A report during a start does not say when it was made.
        let made = if report.uptime.is_zero() { now } else { self.booted + report.uptime };
        let every = self.plan.settings.report_interval + REPORT_DELAY;
        let (held, released) = self.held(Plane::Supervision, now);
        let is_well = self.well_for(now).is_none_or(|well| well >= SETTLES);
        let is_due = stop.is_none() && held.is_none() && released + every < now && is_well;
        if made > now || is_due && made + every < now {
            self.verdicts.broken(format_args!("health: the report at {now:?} was made at {made:?}"));
        }
        let is_judged = self.health.judged.replace((number, report.uptime)) == Some((number, report.uptime));
        if is_judged && !report.uptime.is_zero() {
            return;
        }
        // The end of a part is noticed once its plane runs; from then on the newest report says so, whenever it was
        // made.
        let is_noticed =
            |since: &Moment| report.phase == Phase::Stopping || *since <= made && self.held.is_empty();
        let stopping_for = stop.filter(is_noticed).map(|since| made - since.min(made));
        let mut truth = self.truth(process, made, stopping_for);
        truth.wall = truth.wall.filter(|_| !report.uptime.is_zero());
        if self.is_damaged(number, made) {
            self.health.waited = Some(made);
        }
        for violation in judge(&truth, &report) {
            self.verdicts.broken(format_args!("{violation}, at {made:?}"));
        }
        self.note_reached(&report);
        let struck = self.executor.struck();
        let restarted: Vec<Moment> =
            self.lines().iter().filter(|line| line.restarts()).map(|line| line.at).collect();
        let (boots, losses, faults) = (&self.health.boots, &self.health.losses, self.faults.faults());
        let causes = |from: Moment, to: Moment| {
            let edges = faults.iter().flat_map(|fault| [fault.begins(), fault.until()]);
            // Requests that panic are many, and what comes of them is told for as long as they do.
            let ill = struck.iter().filter(|struck| struck.ailment != Ailment::PanicsAtOnce);
            let ill = ill.flat_map(|struck| [struck.at, struck.over.unwrap_or(now)]);
            let edges = edges.chain(ill);
            let edges = edges.chain(boots.iter().chain(losses).chain(&restarted).copied());
            let edges = edges.filter(|edge| from <= *edge && *edge <= to).count();
            let hovering = hovering(faults, from, to).as_secs() / HOVERS.as_secs();
            edges + usize::try_from(hovering).unwrap_or(usize::MAX)
        };
        self.verdicts.check(self.health.flapping.observe(now, &report, causes));
    }

    /// Since when a process says that it ends without an order, if self-healing had a reason to end it.
    fn ends_since(&self, process: &Process, now: Moment) -> Option<Moment> {
        let says_so = process.board().report().phase == Phase::Stopping;
        if !says_so || !self.may_end_itself(now) {
            return None;
        }
        let known = self.health.ends.filter(|(number, _)| *number == process.number());
        let since = known.map_or(now, |(_, since)| since);
        if now > since + self.plan.promised.stop_within + SLOT && self.held.is_empty() {
            self.verdicts
                .broken(format_args!("the process has ended itself since {since:?}, and is still there"));
        }
        Some(since)
    }

    fn note_reached(&mut self, report: &Report) {
        let reached = &mut self.health.reached;
        reached.insert(format!("health {}", report.status));
        reached.extend(report.apis.circuit_breaker_state.map(|state| format!("breaker {}", state.as_str())));
        reached.extend(report.store.uses.iter().map(|each| format!("{} {}", each.name, each.status)));
    }

    /// The truth at a moment of the last minute.
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
            .max(self.booted)
            .max(self.illness.last(at).unwrap_or_default());
        let disturbed = self.last_disturbed(at, |fault| match fault.kind {
            // A restart soon after another leaves no time to refresh anything.
            FaultKind::Kill | FaultKind::Terminate => {
                let soon = |other: &Fault| other.at < fault.at && fault.at < other.at + 4 * SHORT;
                let is_restart = |kind| matches!(kind, FaultKind::Kill | FaultKind::Terminate);
                let others = self.faults.faults().iter().filter(|other| is_restart(other.kind));
                fault.lasts > SHORT || others.into_iter().any(soon)
            }
            FaultKind::PartPanics(_) | FaultKind::PartEnds(_) => false,
            _ => true,
        });
        // Tokens that were not stored meanwhile are stale when the next process loads them.
        let disturbed = disturbed.max(self.health.waited).max(self.illness.last(at));
        let unmeasured = self.last_disturbed(at, |fault| fault.kind == FaultKind::ResourcesUnknown);
        let resources = match self.faults.resources_unknown_since(at) {
            Some(since) => (false, at - since.max(self.booted)),
            None => (true, at - unmeasured.unwrap_or_default().max(self.booted)),
        };
        let down = |is_down: fn(ExchangeFault) -> bool| {
            self.faults.exchange_since(at, is_down).map(|since| at - since.max(runs))
        };
        let is_damaged = self.is_damaged(process.number(), at);
        // With more tokens than permits not all can be fresh, which the service reports.
        let fits = process.board().plan().is_none_or(|plan| plan.hot.cycle.max(plan.cold.cycle) <= MAX_ROUND);
        let panics = self.panics_of_requests(process.number());
        let panics =
            || panics.iter().filter(|(panicked, _)| *panicked <= at).map(|(panicked, _)| at - *panicked);
        let [pools, profiles] =
            self.world.exchange.last_responses(process.number(), at).map(|last| ages_of(last, at));
        Truth {
            wall: (!is_stepped).then(|| self.executor.wall() - (now - at)),
            stopping_for,
            could_start_for: at - could_start,
            // A pause of the supervision plane restarts every deadline.
            work_held_for: work_held.map(|since| at - since.max(supervision_runs + TIMER_DELAY)),
            work_runs_for: if work_held.is_some() {
                Duration::ZERO
            } else {
                at - work_runs.max(supervision_runs)
            },
            runs_for: at - runs,
            is_well: self.well_for(at).is_none_or(|well| well >= SETTLES),
            hot_ill_for: self
                .hot_ill_since()
                .filter(|since| *since <= at)
                .map(|since| at - since.max(supervision_runs).max(self.booted)),
            panicked: panics().filter(|ago| TOLD.contains(ago)).count(),
            last_panic: panics().min(),
            lease_lapsed_for: self.lease_lapsed_for(process.number(), at),
            api_down_for: down(ExchangeFault::is_down),
            api_fails_for: down(ExchangeFault::fails_calls),
            api_silent_for: down(ExchangeFault::is_silent),
            api_unreadable_for: down(ExchangeFault::is_unreadable),
            pools,
            profiles: self.plan.profiles.then_some(profiles),
            resources,
            uses: self.uses(process.number(), at, at - supervision_runs),
            tokens: (Board::tokens(process.board()), self.plan.settings.market.hot_threshold()),
            ended: self.ended(at, AN_HOUR),
            is_calm: fits
                && !is_damaged
                && !self.faults.any_between(at.saturating_sub(RESTARTED_WITHIN), at, is_of_part)
                && disturbed.is_none_or(|disturbed| disturbed + RECOVERED_WITHIN <= at),
        }
    }

    /// Whether so many processes have ended lately without an order that this is told, or has just been.
    pub(super) fn keeps_ending(&self) -> bool {
        self.ended(self.executor.now(), AN_HOUR + TOLD_LATE) >= MOST_ENDS
    }

    /// How many processes have ended without an order within so long, or ever if that is another time by a wall clock that was set.
    fn ended(&self, at: Moment, within: Duration) -> usize {
        let is_stepped =
            self.faults.any_between(Moment::ZERO, at, |kind| matches!(kind, FaultKind::WallStep(_)));
        let from = if is_stepped { Moment::ZERO } else { at.saturating_sub(within) };
        self.health.unordered_ends.iter().filter(|ended| from <= **ended).count()
    }

    /// For how long the lease of a process has run out while it could be renewed: one that is asked for and not answered excuses it.
    fn lease_lapsed_for(&self, process: u32, at: Moment) -> Option<Duration> {
        let (io_held, io_runs) = self.held(Plane::Io, at);
        let lapsed = self.world.succession.lapsed_for(process.into(), at)?;
        io_held.is_none().then(|| lapsed.min(at - io_runs))
    }

    /// Whether any use of the process met damage, which ends all its uses of the store until an operator acts.
    fn is_damaged(&self, process: u32, at: Moment) -> bool {
        self.world.store_states(process, at).iter().any(|(.., state)| state.corrupt)
    }

    /// The state of each use of the store.
    fn uses(&self, process: u32, at: Moment, watched_for: Duration) -> Vec<UseTruth> {
        let late = self.plan.settings.report_interval + REPORT_DELAY;
        let states = self.world.store_states(process, at);
        let is_damaged = self.is_damaged(process, at);
        let damage = states.iter().find(|(.., state)| state.corrupt);
        let damage = damage.map(|(.., state)| state.error.clone().unwrap_or_default());
        states
            .into_iter()
            .filter_map(|(table, writes, since, state)| {
                let name = match (table, writes) {
                    (StoreTable::Tokens, false) => StoreUse::TokenReads,
                    // With profiles there are two uses that write tokens, which cannot be told apart from outside.
                    (StoreTable::Tokens, true) if !self.plan.profiles => StoreUse::TokenWrites,
                    (StoreTable::Breakers, true) => StoreUse::Breakers,
                    (StoreTable::Samples, true) => StoreUse::Samples,
                    (StoreTable::Events, true) => StoreUse::Events,
                    _ => return None,
                };
                let dropped = self.health.dropped.get(name.as_str());
                let is_losing = dropped.map_or(Some(false), |dropped| dropped.is_losing(at, late));
                Some(UseTruth {
                    name: name.as_str(),
                    failing_for: state.failing_since.map(|since| at - since),
                    error: state.error,
                    unchanged_for: at - since,
                    damage: damage.clone().filter(|_| !state.corrupt),
                    gave_up: state.corrupt,
                    // A monitor that was paused may notice late.
                    is_losing: is_losing
                        // Damage that another use met ends this one too, at its next call.
                        .filter(|_| !is_damaged || state.corrupt)
                        .filter(|losing| *losing || watched_for > LOSS + late || dropped.is_none()),
                })
            })
            .collect()
    }

    /// When a matching fault was last active; `at` if one still is.
    pub(super) fn last_disturbed(&self, at: Moment, is_one: impl Fn(&Fault) -> bool) -> Option<Moment> {
        let begun = self.faults.faults().iter().take_while(|fault| fault.begins() <= at);
        begun.filter(|fault| is_one(fault)).map(|fault| fault.until().min(at)).max()
    }

    /// Since when a plane of the current process has been suspended, if it is, and since when it had run before or
    /// has run.
    fn held(&self, plane: Plane, at: Moment) -> (Option<Moment>, Moment) {
        let of_plane = self.held.iter().filter(|hold| hold.plane == plane && hold.from <= at);
        let (mut since, mut until, mut runs) = (self.booted, self.booted, self.booted);
        for hold in of_plane {
            if hold.from > until {
                (since, runs) = (hold.from, until);
            }
            // A plane that was built anew is not the one that is suspended.
            let rebuilt = self.executor.runtime().rebuilt_after(self.number, hold.from);
            let rebuilt = rebuilt.filter(|_| plane == Plane::Work).unwrap_or(Moment::MAX);
            until = until.max(hold.until.min(rebuilt));
        }
        // The uptime in a report counts from a little after the boot.
        if at + TIMER_DELAY < until { (Some(since), runs) } else { (None, until) }
    }
}

fn is_of_part(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::PartPanics(_) | FaultKind::PartEnds(_))
}

fn ages_of(last: LastResponses, at: Moment) -> ResponseTruth {
    ResponseTruth {
        error: last.error.map(|(since, message)| (at - since, message)),
        answer: last.answer.map(|since| at - since),
        answering_for: last.answering_since.map(|since| at - since),
    }
}

/// For how long between the two moments the rate of errors was left to chance.
fn hovering(faults: &[Fault], from: Moment, to: Moment) -> Duration {
    let is_chance = |fault: &&Fault| match fault.kind {
        FaultKind::Exchange(fault @ ExchangeFault::FlakyNulls(_)) => !fault.is_down(),
        _ => false,
    };
    let (mut hovering, mut known) = (Duration::ZERO, from);
    // In the order in which they begin: what two of them share counts once.
    for fault in faults.iter().filter(is_chance) {
        let until = fault.until().min(to);
        hovering += until - fault.begins().max(known).min(until);
        known = known.max(until);
    }
    hovering
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultSchedule;

    #[test]
    fn only_what_fails_by_chance_hovers_and_what_two_faults_share_counts_once() {
        let line = "at 10m for 20m api-flaky-nulls=30%; at 20m for 20m api-flaky-nulls=10%; \
            at 50m for 10m api-flaky-nulls=100%; at 60m for 10m api-half; at 70m for 1h api-flaky-nulls=5%";
        let faults: FaultSchedule = line.parse().expect("a schedule");
        let at = |minutes| Moment::from_origin(Duration::from_mins(minutes));
        let minutes = |from, to| hovering(faults.faults(), at(from), at(to)).as_secs() / 60;
        assert_eq!([minutes(0, 45), minutes(25, 35), minutes(45, 80), minutes(45, 60)], [30, 10, 10, 0]);
    }
}
