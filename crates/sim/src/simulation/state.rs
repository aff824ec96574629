//! The state of a running simulation: the current process, the second one if there is one, and what the checks
//! remember of both.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use ttm_kernel::Moment;

use super::illness::Illness;
use crate::oracle::health::Flapping;
use crate::oracle::{Availability, Verdicts};
use crate::process::Process;
use crate::world::World;
use crate::{Executor, FaultSchedule, Plan, Plane};

/// The service manager restarts a failed process after this.
pub(super) const RESTART_AFTER: Duration = Duration::from_secs(5);
/// A service manager with a watchdog kills a process that was silent for so long.
pub(super) const WATCHDOG: Duration = Duration::from_mins(1);
/// Once all faults are over the service has this long to recover: the breaker's longest open period, and then some
/// rounds of the groups.
pub(super) const RECOVERED_WITHIN: Duration = Duration::from_mins(15);

/// A running simulation.
pub(super) struct Simulation<'a> {
    pub(super) plan: &'a Plan,
    pub(super) faults: Arc<FaultSchedule>,
    pub(super) executor: Executor,
    pub(super) verdicts: Arc<Verdicts>,
    pub(super) world: World,
    pub(super) state: State,
    /// The number of the current process, and the host that it runs on.
    pub(super) number: u32,
    pub(super) host: u32,
    /// The number of processes so far.
    pub(super) processes: u32,
    /// How often the service manager of the current process booted one.
    pub(super) boots: u32,
    /// The process that does not hold the lease, if there are two.
    pub(super) second: Option<Second>,
    pub(super) takeovers: u32,
    pub(super) next_slot: Moment,
    pub(super) availability: Availability,
    /// Without slots in which the process was frozen or killed from outside.
    pub(super) own: Availability,
    pub(super) healed: Availability,
    pub(super) stops: u32,
    /// When the current process booted.
    pub(super) booted: Moment,
    /// When the watchdog was fed last.
    pub(super) fed: Moment,
    /// When planes of the current process were suspended.
    pub(super) held: Vec<Hold>,
    /// Parts of the current process that a fault ended.
    pub(super) ended: Vec<&'static str>,
    /// Tokens that were marked as unlisted in the previous slot.
    pub(super) unlisted: Option<usize>,
    /// Since when the breaker has not been closed while poison was the only fault.
    pub(super) open_for_poison: Option<Moment>,
    pub(super) health: HealthWatch,
    pub(super) illness: Illness,
    /// When the wall clock was stepped.
    pub(super) wall_steps: Vec<(Moment, SignedDuration)>,
    /// How many entries of the ledger of recoveries were replayed.
    pub(super) replayed: usize,
    /// How many of the things that were told have been judged.
    pub(super) told: usize,
}

/// A suspension of one plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) plane: Plane,
    pub(super) from: Moment,
    pub(super) until: Moment,
    /// Whether all planes are suspended at once, as by SIGSTOP.
    pub(super) is_freeze: bool,
}

/// The process, or when the next one boots.
pub(super) enum State {
    Up(Process),
    Stopping { process: Process, since: Moment, away: Duration },
    Down { until: Moment },
}

/// The process that does not hold the lease, with the state of its service manager and of the checks.
pub(super) struct Second {
    /// Until when its service manager runs.
    pub(super) until: Moment,
    pub(super) host: u32,
    pub(super) number: u32,
    pub(super) state: State,
    pub(super) booted: Moment,
    pub(super) held: Vec<Hold>,
    pub(super) ended: Vec<&'static str>,
}

impl Second {
    /// Whether it was ordered to stop and is not suspended.
    pub(super) fn can_stop(&self) -> bool {
        matches!(self.state, State::Stopping { .. }) && self.held.is_empty()
    }
}

/// How long a loss keeps the status critical after it last increased.
pub(super) const LOSS: Duration = Duration::from_mins(1);

/// What the health checks remember from slot to slot.
#[derive(Debug, Default)]
pub(super) struct HealthWatch {
    pub(super) flapping: Flapping,
    /// The process that was checked last, and the uptime in its report.
    pub(super) judged: Option<(u32, Duration)>,
    pub(super) boots: Vec<Moment>,
    /// When processes ended without an order.
    pub(super) unordered_ends: Vec<Moment>,
    /// The process that ends itself, and since when it says so.
    pub(super) ends: Option<(u32, Moment)>,
    pub(super) dropped: BTreeMap<&'static str, Dropped>,
    /// When spells of losses began, of any process.
    pub(super) losses: Vec<Moment>,
    /// When a writer was last known to wait for an operator.
    pub(super) waited: Option<Moment>,
    /// Every health status, state of a use of the store and state of the breaker that was reported.
    pub(super) reached: BTreeSet<String>,
}

/// The entries of one use of the store that the current process dropped.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    pub(super) entries: u64,
    pub(super) counted: Moment,
    /// The checks between which the count rose.
    pub(super) rises: VecDeque<(Moment, Moment)>,
}

impl Dropped {
    /// Whether a spell of losses begins: after the last rise the status may have changed back.
    pub(super) fn count(&mut self, entries: u64, now: Moment) -> bool {
        let rises = entries > self.entries;
        let begins = rises && self.rises.back().is_none_or(|(from, _)| *from + LOSS <= now);
        if rises {
            self.rises.push_back((self.counted, now));
            while self.rises.front().is_some_and(|(_, until)| *until + 5 * LOSS < now) {
                self.rises.pop_front();
            }
        }
        (self.entries, self.counted) = (entries, now);
        begins
    }

    /// Whether the count rose within the last minute; `None` if that is uncertain. A rise is noticed within `late`.
    pub(super) fn is_losing(&self, at: Moment, late: Duration) -> Option<bool> {
        let is = |(from, until): &(Moment, Moment)| *until <= at && at < *from + LOSS;
        let may_be = |(from, until): &(Moment, Moment)| *from < at && at <= *until + LOSS + late;
        if self.rises.iter().any(is) { Some(true) } else { (!self.rises.iter().any(may_be)).then_some(false) }
    }
}
