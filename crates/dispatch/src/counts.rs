//! Counts of the dispatcher's keys and requests, as plain data.

use ttm_kernel::PerLane;

use crate::{Lists, Priority};

/// What a dispatcher did and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys in the lines.
    pub in_line: PerLane<usize>,
    /// Those of them that may be asked and were not yet: what is deferred when the next tick comes.
    pub waiting: PerLane<usize>,
    /// Keys that wait to be asked for apart, by the lane that they came from: a batch did not answer them, or failed.
    pub unanswered: PerLane<usize>,
    /// Keys that are backing off, or wait after that.
    pub resting: usize,
    /// Those of them that make every request fail.
    pub bad: usize,
    /// Requests that failed and were split.
    pub split: u64,
    /// Full lists that wait.
    pub lists: Lists,
    /// Requests in flight.
    pub in_flight: usize,
    /// Requests made, by priority.
    pub requests: [u64; 4],
    /// Requests for several keys.
    pub batches: u64,
    /// Keys in those.
    pub batched: u64,
    /// Keys that were asked for, alone or with others; full lists are not among them.
    pub asked: u64,
    /// Keys that were passed over because they were still fresh, by lane.
    pub fresh: PerLane<u64>,
}

impl Counts {
    /// Requests that were made for a priority.
    pub const fn requests_of(&self, priority: Priority) -> u64 {
        self.requests[priority.index()]
    }

    /// How many keys a batch held on average; `None` before the first.
    pub fn keys_per_batch(&self) -> Option<f64> {
        (self.batches > 0).then(|| self.batched as f64 / self.batches as f64)
    }
}
