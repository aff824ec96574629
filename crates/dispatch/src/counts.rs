//! Where the keys are, and what was asked so far, as plain data.

use ttm_kernel::PerLane;

use crate::{Lists, Priority};

/// What a dispatcher did and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys in the lines.
    pub in_line: PerLane<usize>,
    /// Those of them that may be asked and were not yet: what is deferred when the next tick comes.
    pub waiting: PerLane<usize>,
    /// Keys that wait to be asked apart, by the line that they came from: a batch did not answer them, or failed.
    pub unanswered: PerLane<usize>,
    /// Keys that rest, or have rested and wait.
    pub resting: usize,
    /// Those of them that rest because they make every request fail.
    pub bad: usize,
    /// Requests that failed and of which the keys were asked again by halves.
    pub split: u64,
    /// Full lists that wait.
    pub lists: Lists,
    /// Requests under way.
    pub in_flight: usize,
    /// Requests made, by priority.
    pub requests: [u64; 4],
    /// Requests for several keys.
    pub batches: u64,
    /// Keys in those.
    pub batched: u64,
    /// Keys that were asked for, alone or with others; full lists are not among them.
    pub asked: u64,
    /// Keys that were not asked, because they had been seen just before, by line.
    pub fresh: PerLane<u64>,
}

impl Counts {
    /// Requests that were made for a priority.
    pub const fn requests_of(&self, priority: Priority) -> u64 {
        self.requests[priority.index()]
    }

    /// How many keys a batch held on average; none before the first.
    pub fn keys_per_batch(&self) -> Option<f64> {
        (self.batches > 0).then(|| self.batched as f64 / self.batches as f64)
    }
}
