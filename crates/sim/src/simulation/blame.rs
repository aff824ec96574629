//! Requests that fail inside the process: the API is not to blame for them, and a group all of whose requests panic is not left
//! alone.

use std::time::Duration;

use ttm_kernel::{Clock, Lane, Moment};
use ttm_recovery::Entry;

use super::state::{Simulation, State};
use crate::oracle::recovery::Line;
use crate::{ExchangeFault, Fault, FaultKind, JobFault, Requests, StoreFault, StoreTable};

/// What went wrong with calls has effects for so long: the longest that the service leaves its breaker open, and a few probes.
const AFTERMATH: Duration = Duration::from_mins(5);
/// A person has looked at a damaged store, and restarts the process, within this time.
const REPAIRED: Duration = Duration::from_mins(20);
/// Once requests are answered again, the breaker has closed within this time.
const BREAKER_CLOSES: Duration = Duration::from_secs(30);
/// A group all of whose requests panic is restarted or given up within this time.
const HELPED: Duration = Duration::from_mins(5);
/// Fewer requests that panic prove nothing.
const FEW: usize = 3;
/// A request that was under way when others began to panic has ended by then.
const IN_FLIGHT: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

impl Simulation<'_> {
    /// Notes since when requests of the hot group have panicked for long, while it said of no run that it got on or had nothing to do
    /// and nothing else was wrong.
    pub(super) fn follow_panics(&mut self) {
        let State::Up(process) = &self.state else { return };
        let (now, status) = (self.executor.now(), process.board().group(Lane::Hot));
        let progress = status.and_then(|status| status.last_progress);
        let progress = progress.map_or(self.booted, |at| self.booted + at.since_origin());
        let disturbed = self.last_disturbed(now, |fault| is_other(fault.kind)).unwrap_or_default();
        let mut since = progress.max(disturbed).max(self.booted);
        if now - since < HELPED {
            return;
        }
        let ill = self.executor.struck().into_iter().filter(|struck| !struck.ailment.is_panic());
        since = since.max(ill.map(|struck| struck.over.unwrap_or(now)).max().unwrap_or_default());
        let panics = self.panics_of_requests(process.number()).into_iter();
        let panics = panics.filter(|(at, name)| *name == "hot request" && *at > since).map(|(at, _)| at);
        let panics: Vec<Moment> = panics.collect();
        let (Some(first), Some(last)) = (panics.iter().min(), panics.iter().max()) else { return };
        let is_known = self.illness.fruitless.last().is_some_and(|(known, _)| *known == since);
        if panics.len() >= FEW && *last - *first >= HELPED && !is_known {
            self.illness.fruitless.push((since, *last));
        }
    }

    /// Checks that something was done about the hot group each time.
    pub(super) fn judge_panics(&self, lines: &[Line]) {
        let is_told = |line: &&Line| line.restarts() || line.escalates();
        let between = |from: Moment, to: Moment| {
            lines.iter().filter(is_told).filter(move |line| from <= line.at && line.at < to)
        };
        for (since, until) in self.illness.fruitless.iter().copied() {
            // Of the budget that is left, nothing is known here.
            let is_first = between(since.saturating_sub(HOUR), since).next().is_none();
            if is_first && !between(since, until).any(is_of_hot_group) {
                self.verdicts.broken(format_args!(
                    "all requests of the hot group have panicked since {since:?}, and by {until:?} nothing was done about it"
                ));
            }
        }
    }

    /// Checks that no group was said to have recovered while all requests of the process panicked.
    pub(super) fn judge_recovered(&self, lines: &[Line]) {
        let all_panic = |fault: &Fault| {
            let kind = matches!(
                fault.kind,
                FaultKind::Job(JobFault::RequestsPanic(Requests::All) | JobFault::AnswersPanic)
            );
            kind.then(|| (fault.begins() + IN_FLIGHT, fault.until()))
        };
        for (from, until) in self.faults.faults().iter().filter_map(all_panic) {
            let is_during = |line: &&Line| from <= line.at && line.at < until;
            for line in
                lines.iter().filter(is_during).filter(|line| line.has_recovered() && is_of_a_group(line))
            {
                self.verdicts.broken(format_args!(
                    "{} is said to have recovered at {:?}, although all requests have panicked since {from:?}",
                    line.entry.subject, line.at
                ));
            }
        }
    }

    /// Checks that restarts were withheld for want of the API, of a store, or of the lease only if something was wrong with it, or with
    /// what leads to it.
    pub(super) fn judge_blame(&self) {
        self.judge_blame_of("dexscreener", may_fail_calls);
        self.judge_blame_of("store", may_fail_the_store);
        self.judge_blame_of("metrics store", may_fail_the_store);
        self.judge_blame_of("the lease on the store", may_end_the_lease);
    }

    fn judge_blame_of(&self, what: &str, may_fail: fn(FaultKind) -> bool) {
        for (stored, entry) in self.world.recoveries.ever() {
            let times = self.shown(entry.at, stored);
            let line = Line { at: times.last().copied().unwrap_or(stored), entry };
            let is_cause = |fault: &Fault, at| {
                may_fail(fault.kind) && fault.begins() <= at && at <= self.matters_until(fault)
            };
            let has_cause = |at: &Moment| self.faults.faults().iter().any(|fault| is_cause(fault, *at));
            if line.blames(what) && !has_cause(&line.at) && !times.iter().any(has_cause) {
                let Line { at, entry } = line;
                self.verdicts.broken(format_args!(
                    "{what} was blamed at {at:?} for {}, although nothing was wrong with it",
                    entry.subject
                ));
            }
        }
    }

    /// How long a fault may matter: the breaker that it opened closes on answers, and requests that panic get none.
    fn matters_until(&self, fault: &Fault) -> Moment {
        let until = fault.until() + aftermath(fault.kind);
        let panics = self.faults.faults().iter().filter(|other| {
            let is_panic =
                matches!(other.kind, FaultKind::Job(JobFault::RequestsPanic(_) | JobFault::AnswersPanic));
            is_panic && other.begins() <= until
        });
        panics.map(|panics| panics.until() + BREAKER_CLOSES).fold(until, Moment::max)
    }
}

fn is_of_a_group(line: &Line) -> bool {
    ["hot-group", "cold-group"].contains(&line.entry.subject.as_str())
}

fn is_of_hot_group(line: &Line) -> bool {
    ["hot-group", "work", Entry::WORK_PLANE, Entry::PROCESS].contains(&line.entry.subject.as_str())
}

/// Whether a fault may keep the hot group from its work, or keep secret what is done about it, and is no panic of requests.
const fn is_other(kind: FaultKind) -> bool {
    !matches!(
        kind,
        FaultKind::Job(JobFault::RequestsPanic(_) | JobFault::AnswersPanic)
            | FaultKind::ResourcesUnknown
            | FaultKind::WallStep(_)
    )
}

/// For how long calls may be held back once a fault is over.
fn aftermath(kind: FaultKind) -> Duration {
    match kind {
        FaultKind::Exchange(ExchangeFault::Limited(Some(seconds))) => {
            AFTERMATH + Duration::from_secs(seconds.into())
        }
        // A process that met damage leaves the store alone until it ends, which takes a person.
        FaultKind::Store(_, StoreFault::Corrupt) => AFTERMATH + REPAIRED,
        _ => AFTERMATH,
    }
}

/// Whether calls of a store may fail, or be given up.
const fn may_fail_the_store(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Store(..) | FaultKind::PlaneStalls(_) | FaultKind::Freeze | FaultKind::SecondProcess
    )
}

/// Whether the lease may run out or be lost: its keeper may fail, or what it runs on.
const fn may_end_the_lease(kind: FaultKind) -> bool {
    let is_of_requests = matches!(
        kind,
        FaultKind::Job(
            JobFault::RequestsHang(_)
                | JobFault::RequestsSpin
                | JobFault::RequestsPanic(_)
                | JobFault::AnswersPanic
                | JobFault::Leaks
        )
    );
    let is_of_a_part = matches!(kind, FaultKind::Job(_) | FaultKind::PartPanics(_) | FaultKind::PartEnds(_));
    may_fail_the_store(kind) || is_of_a_part && !is_of_requests
}

/// Whether calls of the API may fail because of it, or be given up. A process that panics is no reason.
fn may_fail_calls(kind: FaultKind) -> bool {
    match kind {
        FaultKind::Exchange(fault) => fault.may_fail(),
        // Without the lease nothing is requested.
        FaultKind::Store(table, _) => [StoreTable::All, StoreTable::Lease].contains(&table),
        FaultKind::PlaneStalls(_) | FaultKind::Freeze | FaultKind::SecondProcess => true,
        FaultKind::ResourcesUnknown
        | FaultKind::Kill
        | FaultKind::Terminate
        | FaultKind::PartPanics(_)
        | FaultKind::PartEnds(_)
        | FaultKind::WallStep(_)
        | FaultKind::Channel(..)
        | FaultKind::Job(_) => false,
    }
}
