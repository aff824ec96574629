//! The state machine: a grid of ticks for each lane, of which each starts at most one run.

use std::time::Duration;

use ttm_kernel::{Lane, Moment, PerLane};

use crate::{LaneStatus, RunOutcome, ScheduleConfig};

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a run, and report its end to [`Scheduler::handle_finished`] or [`Scheduler::handle_aborted`].
    StartRun {
        /// Its lane.
        lane: Lane,
        /// Its number, counting from 1; reports of the run carry it.
        run: u64,
        /// Ticks missed since the previous run started.
        missed: u64,
    },
}

/// The schedule of both lanes.
#[derive(Clone, Debug)]
pub struct Scheduler {
    lanes: PerLane<Grid>,
    stopping: bool,
}

/// The grid of ticks at `origin + n · interval`.
#[derive(Clone, Debug)]
struct Grid {
    origin: Moment,
    interval: Duration,
    /// The first tick that has neither started a run nor been counted as missed.
    next_tick: u64,
    missed_before_last_run: u64,
    status: LaneStatus,
}

impl Scheduler {
    /// A schedule whose first ticks are at `now`.
    pub fn new(config: &ScheduleConfig, now: Moment) -> Self {
        let grid = |lane| Grid {
            origin: now,
            interval: config.interval(lane),
            next_tick: 0,
            missed_before_last_run: 0,
            status: LaneStatus::default(),
        };
        Self { lanes: PerLane::from_fn(grid), stopping: false }
    }

    /// Replaces the settings as of `now`.
    ///
    /// Kept are runs in progress with their numbers, all counts and times, and the grid of a lane whose interval does not change.
    /// A lane with another interval starts a new grid:
    /// - If ticks have passed since the last poll, the latest of them is still due and the others are missed, as without the
    ///   change.
    /// - Otherwise the next tick is one new interval after the last one, or `now` if that has passed.
    ///
    /// So a change delays a run by no more than the new interval, and two ticks are never closer than the new interval. After a
    /// shutdown there are no ticks, and nothing changes.
    pub fn reconfigure(&mut self, config: &ScheduleConfig, now: Moment) {
        if self.stopping {
            return;
        }
        for lane in Lane::ALL {
            self.lanes[lane].set_interval(config.interval(lane), now);
        }
    }

    /// The state of a lane as of the last poll or report.
    pub fn status(&self, lane: Lane) -> LaneStatus {
        let grid = &self.lanes[lane];
        let next_due = (!self.stopping).then(|| grid.tick(grid.next_tick));
        LaneStatus { next_due, ..grid.status }
    }

    /// Whether a run of any lane is in progress.
    pub fn is_running(&self) -> bool {
        self.lanes.values().any(|grid| grid.status.running)
    }

    /// `amount` pieces of a lane's work were committed, during one of its runs or between two: work that is done along with
    /// the other lane's counts as progress as well.
    pub fn handle_progress(&mut self, lane: Lane, amount: u64, now: Moment) {
        if amount > 0 {
            let status = &mut self.lanes[lane].status;
            status.last_progress = Some(now);
            status.withheld_since = None;
        }
    }

    /// A run cannot continue because upstream is unavailable. Returns false, and changes nothing, if that run is not in progress.
    pub fn handle_withheld(&mut self, lane: Lane, run: u64, now: Moment) -> bool {
        let grid = &mut self.lanes[lane];
        let current = grid.is_current(run);
        if current {
            grid.status.withheld_since.get_or_insert(now);
        }
        current
    }

    /// A run finished. Returns false, and changes nothing, if that run is not in progress.
    pub fn handle_finished(&mut self, lane: Lane, run: u64, outcome: RunOutcome, now: Moment) -> bool {
        let ended = self.end(lane, run, now);
        if ended {
            let status = &mut self.lanes[lane].status;
            status.last_outcome = Some(outcome);
            // What was committed was reported when it was: the run may have been withheld for long since.
            if outcome.left_nothing() {
                status.last_progress = Some(now);
            }
            if status.withheld_since.is_some() || outcome.is_withheld() || outcome.failed_upstream() {
                status.last_held_up = Some(now);
            }
            if outcome.is_withheld() {
                status.withheld_since.get_or_insert(now);
            } else {
                status.withheld_since = None;
            }
        }
        ended
    }

    /// A run was aborted, or panicked. Returns false, and changes nothing, if that run is not in progress.
    pub fn handle_aborted(&mut self, lane: Lane, run: u64, now: Moment) -> bool {
        let ended = self.end(lane, run, now);
        if ended {
            self.lanes[lane].status.aborted_runs += 1;
        }
        ended
    }

    /// Starts no further run and counts no further tick as missed; runs in progress may still report.
    pub fn handle_shutdown(&mut self) {
        self.stopping = true;
    }

    /// The next run to start; call until it returns `None`.
    pub fn poll(&mut self, now: Moment) -> Option<Effect> {
        if self.stopping {
            return None;
        }
        Lane::ALL.into_iter().find_map(|lane| {
            let (run, missed) = self.lanes[lane].poll(now)?;
            Some(Effect::StartRun { lane, run, missed })
        })
    }

    /// When to poll again, at the latest; `None` after a shutdown.
    pub fn poll_timeout(&self) -> Option<Moment> {
        Lane::ALL.into_iter().filter_map(|lane| self.status(lane).next_due).min()
    }

    fn end(&mut self, lane: Lane, run: u64, now: Moment) -> bool {
        let stopping = self.stopping;
        let grid = &mut self.lanes[lane];
        let current = grid.is_current(run);
        if current {
            if !stopping {
                grid.miss_ticks_before(now);
            }
            grid.status.running = false;
            grid.status.last_finished = Some(now);
            grid.status.last_duration = grid.status.last_started.map(|started| now - started);
        }
        current
    }
}

impl Grid {
    const fn is_current(&self, run: u64) -> bool {
        self.status.running && self.status.runs == run
    }

    /// The number of the run that starts now, if one does, and the ticks missed before it.
    fn poll(&mut self, now: Moment) -> Option<(u64, u64)> {
        let due = self.ticks_up_to(now).checked_sub(self.next_tick).filter(|due| *due > 0)?;
        self.next_tick += due;
        let status = &mut self.status;
        if status.running {
            status.missed_runs += due;
            return None;
        }
        status.missed_runs += due - 1;
        status.runs += 1;
        status.running = true;
        status.last_started = Some(now);
        let missed = status.missed_runs - self.missed_before_last_run;
        self.missed_before_last_run = status.missed_runs;
        Some((status.runs, missed))
    }

    fn set_interval(&mut self, interval: Duration, now: Moment) {
        if interval == self.interval {
            return;
        }
        let passed = self.ticks_up_to(now).saturating_sub(1);
        let missed = passed.saturating_sub(self.next_tick);
        self.next_tick += missed;
        self.status.missed_runs += missed;
        let next = self.tick(self.next_tick);
        self.origin = if next > now { now.max(next.saturating_sub(self.interval) + interval) } else { next };
        (self.interval, self.next_tick) = (interval, 0);
    }

    /// A tick at the moment at which the run ends is not missed: the next run can start on it.
    fn miss_ticks_before(&mut self, now: Moment) {
        let passed = self.ticks_up_to(now.saturating_sub(Duration::from_nanos(1)));
        let missed = passed.saturating_sub(self.next_tick);
        self.next_tick += missed;
        self.status.missed_runs += missed;
    }

    /// How many ticks there were, including the one at the origin and one at `now`. A division, so that a jump of the clock by
    /// years costs no more than one by an interval.
    fn ticks_up_to(&self, now: Moment) -> u64 {
        if now < self.origin {
            return 0;
        }
        let whole = (now - self.origin).as_nanos() / self.interval.as_nanos();
        u64::try_from(whole).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn tick(&self, number: u64) -> Moment {
        let nanos = self.interval.as_nanos().saturating_mul(u128::from(number));
        self.origin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
