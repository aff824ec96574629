//! Faults of single tasks: one that waits for what never comes, one that never yields, one that panics again and again. They are told
//! by the name of the task, so that no code in the service knows of them.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::{Entropy, Moment};

use super::ailment::Ailment;
use super::place::{Place, Plane};
use super::runtime::Shared;
use super::task::SimTask;
use super::{Executor, SimRuntime};

/// The threads of a work plane.
const WORK_THREADS: usize = 2;
/// A task that panics does so within this time after it starts.
const PANICS_WITHIN: Duration = Duration::from_secs(2);

/// Tasks that fall ill, as long as the fault lasts.
#[derive(Clone, Debug)]
pub(super) struct Hazard {
    names: Vec<&'static str>,
    ailment: Ailment,
    until: Moment,
}

/// A task that fell ill.
#[derive(Clone, Copy, Debug)]
pub struct Struck {
    /// Its name.
    pub name: &'static str,
    /// Where it runs.
    pub place: Place,
    /// What is wrong with it.
    pub ailment: Ailment,
    /// Since when.
    pub at: Moment,
    /// When it ended, or its plane was left behind with it.
    pub over: Option<Moment>,
    task: u64,
}

/// What makes tasks fall ill, which did, and the planes that have no thread left.
#[derive(Debug, Default)]
pub(super) struct Ward {
    hazards: Mutex<Vec<Hazard>>,
    struck: Mutex<Vec<Struck>>,
    exhausted: Mutex<Vec<Exhausted>>,
}

/// A plane of which no thread is left.
#[derive(Clone, Copy, Debug)]
pub struct Exhausted {
    /// The plane.
    pub place: Place,
    /// Since when.
    pub at: Moment,
}

impl Hazard {
    fn is_for(&self, task: &SimTask) -> bool {
        let Place { process, plane, .. } = task.place();
        process != 0 && plane != Plane::Io && self.names.contains(&task.name())
    }
}

impl Executor {
    /// Every task of a process with one of these names falls ill that runs at any time until then; only one does if it spins.
    pub fn strike(&self, names: &[&'static str], ailment: Ailment, until: Moment) {
        let shared = self.runtime.shared();
        let hazard = Hazard { names: names.to_vec(), ailment, until };
        let is_one = |task: &SimTask| {
            let place = task.place();
            hazard.is_for(task) && place == shared.newest(place.process, place.plane)
        };
        for task in shared.tasks_that(is_one) {
            shared.fall_ill(&task, ailment);
            if ailment == Ailment::Spins {
                return;
            }
        }
        shared.ward().hazards.lock().push(hazard);
    }

    /// The tasks that have fallen ill so far.
    pub fn struck(&self) -> Vec<Struck> {
        self.runtime.shared().ward().struck.lock().clone()
    }

    /// The planes that have had no thread left so far.
    pub fn exhausted(&self) -> Vec<Exhausted> {
        self.runtime.shared().ward().exhausted.lock().clone()
    }

    /// Whether a process has a task with one of these names that is well.
    pub fn is_well(&self, process: u32, name: &str) -> bool {
        let shared = self.runtime.shared();
        let is_one = |task: &SimTask| {
            let place = task.place();
            task.name() == name && place == shared.newest(process, place.plane) && !task.is_stuck()
        };
        shared.find_task(is_one).is_some()
    }
}

impl SimRuntime {
    /// A task may fall ill right when it starts.
    pub(super) fn expose(&self, task: &Arc<SimTask>) {
        let shared = self.shared();
        let now = shared.now();
        let mut hazards = shared.ward().hazards.lock();
        hazards.retain(|hazard| now <= hazard.until);
        let Some(at) = hazards.iter().position(|hazard| hazard.is_for(task)) else { return };
        let ailment = hazards[at].ailment;
        if ailment == Ailment::Spins {
            hazards.remove(at);
        }
        drop(hazards);
        shared.fall_ill(task, ailment);
    }
}

impl Shared {
    fn fall_ill(&self, task: &Arc<SimTask>, ailment: Ailment) {
        let (at, place) = (self.now(), task.place());
        if task.is_stuck() {
            return;
        }
        task.fall_ill(ailment);
        if ailment.is_panic() {
            let within = if ailment == Ailment::Panics { PANICS_WITHIN } else { Duration::ZERO };
            let after = within.mul_f64(self.stream("job faults").unit());
            task.panics_from(at + after);
            self.timers().register(at + after, Waker::from(Arc::clone(task)));
        }
        self.ward().struck.lock().push(Struck {
            name: task.name(),
            place,
            ailment,
            at,
            over: None,
            task: task.seq(),
        });
        let threads = if place.plane == Plane::Work { WORK_THREADS } else { 1 };
        let spins =
            |each: &&Struck| each.place == place && each.ailment == Ailment::Spins && each.over.is_none();
        if ailment == Ailment::Spins && self.ward().struck.lock().iter().filter(spins).count() >= threads {
            self.suspend(place, Moment::MAX);
            self.ward().exhausted.lock().push(Exhausted { place, at });
        }
    }

    /// Whether a task is polled when it is woken, now or later.
    pub(super) fn may_run(&self, task: &SimTask) -> bool {
        let held_for_good = self.suspended().get(&task.place()).is_some_and(|until| *until == Moment::MAX);
        !task.is_stuck() && !held_for_good
    }

    /// A task that may have been ill is gone.
    pub(super) fn is_gone(&self, task: &SimTask) {
        if task.was_struck() {
            self.are_over(|struck| struck.task == task.seq());
        }
    }

    /// What was ill on an earlier build of this plane is left behind.
    pub(super) fn leave_behind(&self, newest: Place) {
        let is_older = |place: Place| place != newest && Place { build: newest.build, ..place } == newest;
        self.are_over(|struck| is_older(struck.place));
    }

    fn are_over(&self, these: impl Fn(&Struck) -> bool) {
        let now = self.now();
        for struck in self.ward().struck.lock().iter_mut().filter(|struck| these(struck)) {
            struck.over.get_or_insert(now);
        }
    }
}
