//! The state of a simulation under way: the process, the second one if there is one, and what is remembered of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ttm_kernel::Moment;

use crate::oracle::health::Flapping;
use crate::oracle::{Availability, Verdicts};
use crate::process::Process;
use crate::world::World;
use crate::{Executor, FaultSchedule, Plan, Plane};

/// The service manager starts a process that failed again after this.
pub(super) const RESTART_AFTER: Duration = Duration::from_secs(5);
/// Once everything is healed the service is given this long to be well: the breaker's longest open period, and then
/// some rounds of the groups.
pub(super) const WELL_WITHIN: Duration = Duration::from_mins(15);
/// A simulation under way.
pub(super) struct Simulation<'a> {
    pub(super) plan: &'a Plan,
    pub(super) faults: Arc<FaultSchedule>,
    pub(super) executor: Executor,
    pub(super) verdicts: Arc<Verdicts>,
    pub(super) world: World,
    pub(super) state: State,
    /// The number of the present process, and the machine that it runs on.
    pub(super) number: u32,
    pub(super) host: u32,
    /// Processes so far.
    pub(super) processes: u32,
    /// How often the present process booted.
    pub(super) boots: u32,
    /// The process that has not got the store, if there is one.
    pub(super) second: Option<Second>,
    pub(super) takeovers: u32,
    pub(super) next_slot: Moment,
    pub(super) availability: Availability,
    pub(super) healed: Availability,
    pub(super) stops: u32,
    /// When the present process booted.
    pub(super) booted: Moment,
    /// When planes of the present process were held, or are.
    pub(super) held: Vec<Hold>,
    /// Parts of the present process that a fault ended.
    pub(super) ended: Vec<&'static str>,
    /// When the first of them was.
    pub(super) part_ended: Option<Moment>,
    /// Tokens that were taken for unlisted in the slot before.
    pub(super) unlisted: Option<usize>,
    /// Since when the breaker has not been closed, while nothing but poison was wrong with the API.
    pub(super) open_for_poison: Option<Moment>,
    pub(super) health: HealthWatch,
}

/// A plane of a process that is not polled for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) plane: Plane,
    pub(super) from: Moment,
    pub(super) until: Moment,
}

/// The process, or when there will be one again.
pub(super) enum State {
    Up(Process),
    Stopping { process: Process, since: Moment, away: Duration },
    Down { until: Moment },
}

/// What a service manager and the oracles know of the process that has not got the store.
pub(super) struct Second {
    /// Until when its service manager goes on.
    pub(super) until: Moment,
    pub(super) host: u32,
    pub(super) number: u32,
    pub(super) state: State,
    pub(super) booted: Moment,
    pub(super) held: Vec<Hold>,
    pub(super) ended: Vec<&'static str>,
    pub(super) part_ended: Option<Moment>,
}

impl Second {
    /// Whether it was told to stop, and nothing holds it.
    pub(super) fn can_stop(&self) -> bool {
        matches!(self.state, State::Stopping { .. }) && self.held.is_empty()
    }
}

/// A loss is worth a critical status for this long after it became more.
pub(super) const LOSS: Duration = Duration::from_mins(1);

/// What is remembered from slot to slot.
#[derive(Debug, Default)]
pub(super) struct HealthWatch {
    pub(super) flapping: Flapping,
    /// Which process was looked at last, and which of its reports.
    pub(super) judged: Option<(u32, Duration)>,
    pub(super) boots: Vec<Moment>,
    pub(super) given_up: BTreeMap<&'static str, GivenUp>,
    /// When a writer was last known to wait for a person.
    pub(super) waited: Option<Moment>,
    /// Every word of a status, of a use of the store and of the breaker that was shown.
    pub(super) reached: BTreeSet<String>,
}

/// What of a use of the store the present process gave up.
#[derive(Debug, Default)]
pub(super) struct GivenUp {
    pub(super) entries: u64,
    pub(super) counted: Moment,
    /// Between which looks it became more.
    pub(super) rises: VecDeque<(Moment, Moment)>,
}

impl GivenUp {
    pub(super) fn count(&mut self, entries: u64, now: Moment) {
        if entries > self.entries {
            self.rises.push_back((self.counted, now));
            while self.rises.front().is_some_and(|(_, until)| *until + 5 * LOSS < now) {
                self.rises.pop_front();
            }
        }
        (self.entries, self.counted) = (entries, now);
    }

    /// Whether it became more within the last minute, as far as that is certain; it is noticed within `late`.
    pub(super) fn is_losing(&self, at: Moment, late: Duration) -> Option<bool> {
        let is = |(from, until): &(Moment, Moment)| *until <= at && at < *from + LOSS;
        let may_be = |(from, until): &(Moment, Moment)| *from < at && at <= *until + LOSS + late;
        if self.rises.iter().any(is) { Some(true) } else { (!self.rises.iter().any(may_be)).then_some(false) }
    }
}
