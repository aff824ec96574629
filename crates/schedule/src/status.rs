//! What is reported of a lane and of its runs, as plain data.

use std::time::Duration;

use ttm_kernel::Moment;

/// What a run that came to its end achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOutcome {
    /// Pieces of work that were begun.
    pub attempted: u64,
    /// Those that were committed.
    pub processed: u64,
    /// Those that failed: what is known of them is served on, `stale` or not at all.
    pub failed: u64,
    /// Those of the failed and the deferred that are still known well enough to be served, marked with their age.
    pub stale: u64,
    /// Those of the failed and the deferred of which too little is known, or nothing.
    pub skipped: u64,
    /// What was due and not begun, because it had been done just before.
    pub cached: u64,
    /// What was due and left for a later run.
    pub deferred: u64,
    /// What of the deferred had to wait because the far side is away: not even an attempt was possible.
    pub withheld: u64,
}

impl RunOutcome {
    /// Whether the run found nothing to do, which is progress. To leave everything alone because it had been done just before
    /// is none: whether anything can be done at all was not tried.
    pub const fn found_nothing(&self) -> bool {
        self.attempted == 0 && self.processed == 0 && self.deferred == 0 && self.cached == 0
    }

    /// Whether the run committed nothing because the far side is away.
    pub const fn is_withheld(&self) -> bool {
        self.processed == 0 && self.withheld > 0
    }

    /// Whether the run tells how the lane is doing: anything but leaving everything alone.
    pub const fn is_telling(&self) -> bool {
        self.found_nothing() || self.processed > 0 || self.attempted > 0 || self.deferred > 0
    }
}

/// How a lane is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneStatus {
    /// Whether a run is under way; its number is `runs`.
    pub running: bool,
    /// Runs started.
    pub runs: u64,
    /// Ticks on which no run started, because the one before was under way or nobody polled.
    pub missed_runs: u64,
    /// Runs that were aborted or panicked.
    pub aborted_runs: u64,
    /// When the last run started.
    pub last_started: Option<Moment>,
    /// When a run last ended, whichever way.
    pub last_finished: Option<Moment>,
    /// How long that run took.
    pub last_duration: Option<Duration>,
    /// When the lane last made progress.
    pub last_progress: Option<Moment>,
    /// Since when work is withheld because the far side is away; none again with the next progress, and when a run ends
    /// that was not held up. A lane like this is neither well nor stuck.
    pub withheld_since: Option<Moment>,
    /// When a run last came to its end that the far side had held up, or that it gave nothing but failures.
    pub last_held_up: Option<Moment>,
    /// What the last run that came to its end achieved.
    pub last_outcome: Option<RunOutcome>,
    /// The next tick; none after shutdown.
    pub next_due: Option<Moment>,
}
