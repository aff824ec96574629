//! The status of a lane and the outcome of a run, as plain data.

use std::time::Duration;

use ttm_kernel::Moment;

/// What a finished run achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOutcome {
    /// Pieces of work that were started.
    pub attempted: u64,
    /// Those that were committed.
    pub processed: u64,
    /// Those that failed. What is known of them is still served if it is not too old: see `stale` and `skipped`.
    pub failed: u64,
    /// Those of the failed that failed in this process, and not because of upstream.
    pub broken: u64,
    /// Failed and deferred ones whose last result is recent enough to be served as stale.
    pub stale: u64,
    /// Failed and deferred ones whose last result is too old to be served, or that have none.
    pub skipped: u64,
    /// What was due and not started, because the last result was still fresh.
    pub cached: u64,
    /// What was due and left for a later run.
    pub deferred: u64,
    /// Those of the deferred that could not even be attempted because upstream is unavailable.
    pub withheld: u64,
}

impl RunOutcome {
    /// Whether all that was due is committed, or was still fresh, which counts as progress: the lane is behind with nothing.
    /// Freshness does not outlive the commits that it comes from, so a lane in which nothing works cannot hide behind it.
    pub const fn left_nothing(&self) -> bool {
        self.failed == 0 && self.deferred == 0
    }

    /// Whether the run committed nothing because upstream is unavailable.
    pub const fn is_withheld(&self) -> bool {
        self.processed == 0 && self.withheld > 0
    }

    /// Whether the run committed nothing, and most of what it attempted failed because of upstream.
    pub const fn failed_upstream(&self) -> bool {
        self.processed == 0 && self.failed > self.broken.saturating_mul(2)
    }

    /// Whether the run shows that work is possible, or is not, or that there is none. One in which everything was still fresh
    /// attempted nothing, and shows nothing.
    pub const fn is_conclusive(&self) -> bool {
        self.cached == 0 || self.attempted > 0 || self.deferred > 0
    }
}

/// The state of a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneStatus {
    /// Whether a run is in progress; its number is `runs`.
    pub running: bool,
    /// Runs started.
    pub runs: u64,
    /// Ticks on which no run started, because the previous run was still in progress or the scheduler was not polled.
    pub missed_runs: u64,
    /// Runs that were aborted or panicked.
    pub aborted_runs: u64,
    /// When the last run started.
    pub last_started: Option<Moment>,
    /// When a run last ended, finished or aborted.
    pub last_finished: Option<Moment>,
    /// How long that run took.
    pub last_duration: Option<Duration>,
    /// When the lane last made progress.
    pub last_progress: Option<Moment>,
    /// Since when work is withheld because upstream is unavailable. Cleared by the next progress, and by a run that ends without
    /// being withheld. Such a lane is neither healthy nor stuck.
    pub withheld_since: Option<Moment>,
    /// When a run last finished that was withheld, or in which every attempt failed, most of them because of upstream.
    pub last_held_up: Option<Moment>,
    /// What the last finished run achieved.
    pub last_outcome: Option<RunOutcome>,
    /// The next tick; `None` after a shutdown.
    pub next_due: Option<Moment>,
}
