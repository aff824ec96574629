//! The API's state for each calling process, and its counts over all of them.

use std::collections::BTreeMap;

use ttm_kernel::Moment;

use super::responses::ResponseLog;
use crate::oracle::{BreakerWatch, Pace, Promises};

/// The state of one calling process.
#[derive(Debug)]
pub(super) struct CallerState {
    pub(super) budgets: [BudgetState; 2],
    /// Calls that succeeded.
    pub(super) succeeded: u64,
    /// The halves of failed batches, which the process may request next, and how many calls had succeeded before.
    pub(super) parts: BTreeMap<u64, u64>,
    /// When each question in flight was first asked, and how many calls had succeeded before; later attempts belong
    /// to the same request.
    pub(super) first: BTreeMap<u64, (Moment, u64)>,
}

/// What the API limits separately.
#[derive(Clone, Copy, Debug)]
pub(super) enum Budget {
    Pools,
    Profiles,
}

/// The oracles of the requests of one budget.
#[derive(Debug)]
pub(super) struct BudgetState {
    pub(super) breaker: BreakerWatch,
    pub(super) pace: Pace,
    pub(super) responses: ResponseLog,
}

impl CallerState {
    /// A process that has made no request yet.
    pub(super) fn new(promised: Promises) -> Self {
        Self {
            // All requests for profiles are equal, so two requests cannot be told from two attempts.
            budgets: [promised.attempts, usize::MAX].map(|attempts| BudgetState {
                breaker: BreakerWatch::new(promised.breaker),
                pace: Pace::new(attempts),
                responses: ResponseLog::default(),
            }),
            succeeded: 0,
            parts: BTreeMap::new(),
            first: BTreeMap::new(),
        }
    }
}

/// A request on whose answer the process panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked {
    /// The process.
    pub process: u32,
    /// When.
    pub at: Moment,
    /// The name of the task that made the request.
    pub task: &'static str,
}

/// The API's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeCounts {
    /// Requests that began.
    pub requests: u64,
    /// Requests that got an answer of any kind.
    pub answered: u64,
    /// Requests that succeeded, with or without pairs.
    pub succeeded: u64,
    /// Requests that failed because of a poisoned mint.
    pub poisoned: u64,
    /// Requests in flight.
    pub in_flight: u32,
    /// The most requests for pools in one minute.
    pub busiest_minute: usize,
    /// The most requests for profiles in one minute.
    pub busiest_profile_minute: usize,
}
