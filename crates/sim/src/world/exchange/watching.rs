//! What is held against each process that asks, and what the API saw of all of them.

use std::collections::BTreeMap;

use ttm_kernel::Moment;

use super::heard::Hearing;
use crate::oracle::{BreakerWatch, Pace, Promises};

/// What is held against the requests of one process, and what it knows.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) budgets: [Watched; 2],
    /// Calls that brought something.
    pub(super) succeeded: u64,
    /// The halves of the batches that failed, which the process may ask next, and how many calls had been answered before.
    pub(super) parts: BTreeMap<u64, u64>,
    /// When each question that is under way was asked first, and how many calls had been answered before: its other attempts
    /// are of the same request.
    pub(super) first: BTreeMap<u64, (Moment, u64)>,
}

/// What the API counts apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Budget {
    Pools,
    Profiles,
}

/// What is held against the requests of one budget.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) breaker: BreakerWatch,
    pub(super) pace: Pace,
    pub(super) hearing: Hearing,
}

impl Watching {
    /// A process that has not asked yet.
    pub(super) fn new(promised: Promises) -> Self {
        Self {
            // Every look at the profiles asks the same, so that nobody can tell two looks from two attempts.
            budgets: [promised.attempts, usize::MAX].map(|attempts| Watched {
                breaker: BreakerWatch::new(promised.breaker),
                pace: Pace::new(attempts),
                hearing: Hearing::default(),
            }),
            succeeded: 0,
            parts: BTreeMap::new(),
            first: BTreeMap::new(),
        }
    }
}

/// What the API saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeCounts {
    /// Requests that began.
    pub requests: u64,
    /// Requests that got an answer of any kind.
    pub answered: u64,
    /// Requests that got pairs, or would have if there were any.
    pub succeeded: u64,
    /// Requests that failed because of a poisoned mint.
    pub poisoned: u64,
    /// Requests under way.
    pub in_flight: u32,
    /// The most requests for pools in one minute.
    pub busiest_minute: usize,
    /// The most requests for profiles in one minute.
    pub busiest_profile_minute: usize,
}
