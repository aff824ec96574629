//! The checks of self-healing: by what the durable ledger ever said, by the schedule, and by what the executor knows of the tasks.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::{Clock, Moment};
use ttm_recovery::{Entry, Fact, Now, Past};

use super::state::Simulation;
use super::{Plane, WALL_S};
use crate::oracle::recovery::{Line, only_climbs, overspent};
use crate::{Ailment, Fault, FaultKind, Part, Struck};

/// A fault has effects for so long: the longest patience, the whole ladder, and some backoffs.
const EFFECTS: Duration = Duration::from_mins(15);
/// Within this time what is ill was restarted, left behind or escalated.
const RECOVERED: Duration = Duration::from_mins(12);
/// The restart of a group begins two minutes and one tick after it got stuck, which is seen within some seconds.
const GROUP_RESTARTED: Duration = Duration::from_secs(120 + 45 + 5);
const HOUR: Duration = Duration::from_hours(1);
/// What happened shortly before a fault may still matter.
const SHORTLY: Duration = Duration::from_mins(5);

impl Simulation<'_> {
    /// Checks, whenever it has grown, that a process which boots now can use the ledger.
    pub(super) fn judge_ledger(&mut self) {
        let count = self.world.recoveries.count();
        if std::mem::replace(&mut self.replayed, count) == count {
            return;
        }
        let now = Now { moment: self.executor.now(), wall: self.executor.wall(), jitter: 0.5 };
        if let Err(error) = Past::replay(&self.world.recoveries.entries(), now) {
            self.verdicts.broken(format_args!("the durable ledger makes no sense: {error}"));
        }
    }

    /// How often anything was restarted.
    pub(super) fn restarts(&self) -> u32 {
        let restarts = self.lines().iter().filter(|line| line.restarts()).count();
        u32::try_from(restarts).unwrap_or(u32::MAX)
    }

    /// What it did, in words.
    pub(super) fn recoveries(&self) -> Vec<String> {
        let words = |Line { at, entry }: Line| {
            let Entry { key, recovery, subject, fact, .. } = entry;
            let what = match fact {
                Fact::Booted | Fact::Closed | Fact::Spent => String::new(),
                Fact::Began { cause, evidence, .. } => format!("{cause} {}", evidence.unwrap_or_default()),
                Fact::Withheld { cause, .. } => cause,
                Fact::Step { step, charged } => format!("{step}, charged: {charged}"),
                Fact::Ended { outcome, took } => format!("{outcome} after {took:?}"),
            };
            format!("{at:?} {key} of {recovery}: {subject} {what}")
        };
        self.lines().into_iter().map(words).collect()
    }

    /// Checks all that self-healing did.
    pub(super) fn judge_recoveries(&self) {
        let lines = self.lines();
        self.verdicts.check(only_climbs(&lines));
        let settings = self.plan.promised.recovery;
        // What a process could not store it took along; a wall clock that was set forward makes all look older.
        let is_uncertain = |from: Moment, to: Moment| {
            let forward =
                |(at, by): &(Moment, jiff::SignedDuration)| by.is_positive() && from <= *at && *at <= to;
            self.wall_steps.iter().any(forward) || self.store_was_away(from, to)
        };
        let rebuilds = self.executor.runtime().rebuilds();
        for broken in overspent(&lines, &rebuilds, &settings, is_uncertain) {
            self.verdicts.broken(broken);
        }
        for line in lines.iter().filter(|line| line.restarts()) {
            if !self.is_justified(line.at) {
                let (subject, step) = (&line.entry.subject, line.step());
                self.verdicts.broken(format_args!(
                    "{subject} was restarted ({step:?}) at {:?}, although nothing was wrong with it",
                    line.at
                ));
            }
        }
        for struck in self.alone() {
            self.judge_recovery(&struck, &lines);
        }
        self.judge_panics(&lines);
        self.judge_recovered(&lines);
        self.judge_blame();
    }

    /// Whether something that a restart may help was wrong shortly before.
    fn is_justified(&self, at: Moment) -> bool {
        let from = at.saturating_sub(EFFECTS);
        let is_inside = |kind: FaultKind| match kind {
            FaultKind::PlaneStalls(_)
            | FaultKind::PartPanics(_)
            | FaultKind::PartEnds(_)
            | FaultKind::Job(_)
            | FaultKind::SecondProcess => true,
            FaultKind::Exchange(_)
            | FaultKind::Store(..)
            | FaultKind::ResourcesUnknown
            | FaultKind::Kill
            | FaultKind::Terminate
            | FaultKind::Freeze
            | FaultKind::Channel(..)
            | FaultKind::WallStep(_) => false,
        };
        self.faults.any_between(from, at, is_inside) || self.illness.any_between(from, at)
    }

    /// Whether a process may have ended itself for what was wrong with it.
    pub(super) fn may_end_itself(&self, at: Moment) -> bool {
        self.is_justified(at)
    }

    /// The first task of each fault that fell ill while there was nothing else that could disturb its recovery.
    fn alone(&self) -> Vec<Struck> {
        let struck = self.executor.struck();
        let jobs = self.faults.faults().iter().filter(|fault| matches!(fault.kind, FaultKind::Job(_)));
        jobs.filter_map(|fault| {
            let first = struck.iter().find(|each| fault.begins() <= each.at && each.at <= fault.until())?;
            let disturbs = |other: &&Fault| {
                let before = match other.kind {
                    FaultKind::ResourcesUnknown | FaultKind::WallStep(_) => return false,
                    // Budgets may be spent.
                    FaultKind::Job(_)
                    | FaultKind::PlaneStalls(_)
                    | FaultKind::PartPanics(_)
                    | FaultKind::PartEnds(_)
                    | FaultKind::Kill => HOUR,
                    _ => SHORTLY,
                };
                *other != fault
                    && other.begins() <= first.at + RECOVERED
                    && first.at.saturating_sub(before) <= other.until()
            };
            let ends = self.executor.now() < first.at + RECOVERED;
            let disturbed = self.faults.faults().iter().any(|other| disturbs(&other));
            let was_ill = struck.iter().any(|other| {
                other.at < fault.begins()
                    && first.at.saturating_sub(HOUR) <= other.over.unwrap_or(Moment::MAX)
            });
            (!ends && !disturbed && !was_ill).then_some(*first)
        })
        .collect()
    }

    /// Checks that what fell ill was recovered, or that a person was called.
    fn judge_recovery(&self, struck: &Struck, lines: &[Line]) {
        let Struck { name, place, ailment, at, over, .. } = *struck;
        if place.plane == Plane::Supervision && ailment == Ailment::Spins && !self.is_watched() {
            return;
        }
        let within = |bound: Duration| move |line: &&Line| at <= line.at && line.at <= at + bound;
        let is_over = over.is_some_and(|over| over <= at + RECOVERED);
        let escalated = || lines.iter().filter(within(RECOVERED)).any(Line::escalates);
        if !is_over && !escalated() {
            self.verdicts.broken(format_args!(
                "{name} of process {} {ailment:?} since {at:?}, and was neither recovered nor escalated: {over:?}",
                place.process
            ));
        }
        let lapsed = self
            .world
            .succession
            .lapses()
            .into_iter()
            .find(|lapsed| at <= *lapsed && *lapsed <= at + RECOVERED);
        // No keeper can renew it if the next one hangs, too.
        let hangs_again = || {
            let next = |other: &Struck| other.name == name && at < other.at && other.at <= at + RECOVERED;
            self.executor.struck().iter().any(next)
        };
        let is_keeper = name == Part::LeaseKeeper.name() && ailment == Ailment::Hangs;
        if let Some(lapsed) = lapsed.filter(|_| is_keeper && !hangs_again()) {
            self.verdicts
                .broken(format_args!("{name} hangs since {at:?}, and the lease ran out at {lapsed:?}"));
        }
        let is_group = ["work", "hot request", "cold request"].contains(&name);
        let is_over = over.is_some_and(|over| over <= at + GROUP_RESTARTED);
        let began = || lines.iter().filter(within(GROUP_RESTARTED)).any(Line::restarts);
        if is_group && !ailment.is_panic() && !is_over && !began() {
            self.verdicts.broken(format_args!(
                "{name} of process {} {ailment:?} since {at:?}, and no restart began in time",
                place.process
            ));
        }
    }

    /// Every line that ever was in the ledger.
    pub(super) fn lines(&self) -> Vec<Line> {
        let ever = self.world.recoveries.ever();
        let line = |(stored, entry): (Moment, Entry)| Line { at: self.made(entry.at, stored), entry };
        ever.into_iter().map(line).collect()
    }

    /// When the wall clock showed this, at the latest: it may have shown it twice.
    fn made(&self, wall: Timestamp, by: Moment) -> Moment {
        self.shown(wall, by).last().copied().unwrap_or(by)
    }

    /// Each time that the wall clock showed this.
    pub(super) fn shown(&self, wall: Timestamp, by: Moment) -> Vec<Moment> {
        let mut from = Moment::ZERO;
        let mut shown = Timestamp::from_second(WALL_S).expect("a valid time");
        let mut times = Vec::new();
        let ends = self.wall_steps.iter().copied().chain([(Moment::MAX, jiff::SignedDuration::ZERO)]);
        for (until, step) in ends {
            let after = Duration::try_from(wall.duration_since(shown)).ok();
            let at = after.map(|after| from + after);
            times.extend(at.filter(|at| *at <= until && *at <= by));
            if until < Moment::MAX {
                shown = shown + jiff::SignedDuration::try_from(until - from).unwrap_or_default() + step;
                from = until;
            }
        }
        times
    }
}
