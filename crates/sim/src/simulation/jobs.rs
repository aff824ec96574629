//! Faults inside the process, and what is known of them from outside: which tasks are ill, since when, and which planes have no
//! thread left. The truth is the executor's, and never the process's.

use std::time::Duration;

use ttm_kernel::{Clock, Moment};

use super::state::{Hold, Simulation, State};
use crate::{Ailment, JobFault, Part, Plane, Struck};

/// For how long a process may still show that it was ill.
pub(super) const SETTLES: Duration = Duration::from_mins(5);

impl Simulation<'_> {
    /// Something goes wrong in the process.
    pub(super) fn begin_job_fault(&mut self, fault: JobFault, lasts: Duration) {
        let now = self.executor.now();
        if let Some((tasks, ailment)) = fault.strikes() {
            self.executor.strike(tasks, ailment, now + lasts);
        } else if fault == JobFault::Leaks && !matches!(self.state, State::Down { .. }) {
            self.world.resources.leak(self.number, lasts);
        }
        self.follow_jobs();
    }

    /// Notes what is ill now.
    pub(super) fn follow_jobs(&mut self) {
        let now = self.executor.now();
        let struck = self.executor.struck();
        // What was struck since the last look, and may be over by now.
        for new in &struck[self.illness.seen..] {
            self.illness.note(new.at, new.over.unwrap_or(now));
        }
        self.illness.seen = struck.len();
        let panicked = self.world.exchange.panicked(self.illness.panics);
        self.illness.panics += panicked.len();
        for new in panicked {
            self.illness.note(new.at, now);
        }
        let runs = matches!(self.state, State::Up(_));
        let of_this = |each: &&Struck| each.place.process == self.number;
        let is_ill = |each: &Struck| {
            let is_part = Part::ALL.iter().any(|part| part.name() == each.name);
            let is_missing = || runs && is_part && !self.executor.is_well(self.number, each.name);
            each.over.is_none() || is_missing()
        };
        let io_is_held = self.held.iter().any(|hold| hold.plane == Plane::Io && now < hold.until);
        if struck.iter().filter(of_this).any(is_ill) || io_is_held || self.world.resources.leaks(self.number)
        {
            self.illness.note(now, now);
            let look = crate::SLOT;
            // Looks are a slot apart at most, so this is one spell.
            if let Some((_, until)) = self.illness.spells.last_mut() {
                *until = now + look;
            }
        }
        // The planes of a process that is gone went with it.
        let is_there = !matches!(self.state, State::Down { .. });
        let exhausted = self.executor.exhausted().into_iter();
        for each in exhausted.filter(|each| is_there && each.place.process == self.number) {
            let hold = Hold { plane: each.place.plane, from: each.at, until: Moment::MAX, is_freeze: false };
            let is_known = |known: &Hold| known.plane == hold.plane && known.from == hold.from;
            if !self.held.iter().any(is_known) {
                self.held.push(hold);
            }
        }
        for hold in self.held.iter_mut().filter(|hold| hold.until == Moment::MAX) {
            if let Some(rebuilt) = self.executor.runtime().rebuilt_after(self.number, hold.from)
                && hold.plane == Plane::Work
            {
                hold.until = rebuilt;
            }
        }
    }

    /// Whether something of the current process has ever been ill.
    pub(super) fn was_struck(&self) -> bool {
        let struck = self.executor.struck();
        struck.iter().any(|struck| struck.place.process == self.number)
            || self.world.resources.leaks(self.number)
    }

    /// Whether calls of ports do not get anywhere, so that what is in flight for the process has not arrived.
    pub(super) fn io_is_held(&self) -> bool {
        let now = self.executor.now();
        self.held
            .iter()
            .any(|hold| hold.plane == Plane::Io && hold.from <= now && now <= hold.until + SETTLES)
    }

    /// How long ago something was last ill; `None` if nothing ever was.
    pub(super) fn well_for(&self, at: Moment) -> Option<Duration> {
        self.illness.last(at).map(|last| at - last)
    }

    /// When requests of a process panicked, and the names of their tasks: at once, or on an answer.
    pub(super) fn panics_of_requests(&self, process: u32) -> Vec<(Moment, &'static str)> {
        let of_it = |each: &Struck| each.place.process == process && each.ailment == Ailment::PanicsAtOnce;
        let at_once = self.executor.struck().into_iter().filter(of_it).map(|each| (each.at, each.name));
        let on_answers = self.world.exchange.panicked(0).into_iter();
        let on_answers = on_answers.filter(|each| each.process == process);
        let on_answers = on_answers.filter_map(|each| Some((self.reaches_work(each.at)?, each.task)));
        at_once.chain(on_answers).collect()
    }

    /// When the work plane of the current process learns of what happened to a call then: not while it is suspended, and never if it
    /// was left behind meanwhile.
    fn reaches_work(&self, at: Moment) -> Option<Moment> {
        let is_held = |hold: &&Hold| hold.plane == Plane::Work && hold.from <= at && at < hold.until;
        let Some(until) = self.held.iter().filter(is_held).map(|hold| hold.until).max() else {
            return Some(at);
        };
        let rebuilt = self.executor.runtime().rebuilt_after(self.number, at);
        Some(until).filter(|until| rebuilt.is_none_or(|rebuilt| *until < rebuilt))
    }

    /// Since when the hot group of the current process cannot do anything, because what does its work is ill.
    pub(super) fn hot_ill_since(&self) -> Option<Moment> {
        let stops = |each: &Struck| {
            each.place.process == self.number
                && each.over.is_none()
                && !each.ailment.is_panic()
                && ["work", "hot request"].contains(&each.name)
        };
        self.executor.struck().into_iter().filter(stops).map(|struck| struck.at).min()
    }
}
