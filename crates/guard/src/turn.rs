//! What callers exchange with the guard, as plain data.

use std::time::Duration;

use ttm_kernel::Moment;

use crate::places::Place;

/// One attempt of a call, as its operation sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
}

/// Permission to make one attempt now: its place among the attempts in flight, and its turn at the rate limiter.
#[derive(Debug)]
#[must_use = "a turn that is not used is lost"]
pub struct Turn {
    pub(crate) _place: Option<Place>,
}

/// The present state of the rate limiter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The share of the configured rate that may be used, above 0 and up to 1: less after the upstream answered 429.
    pub share: f64,
    /// The end of the pause that the upstream asked for, while it lasts.
    pub paused_until: Option<Moment>,
}

/// What outlives the process of a limited rate, so that a restart does not exceed it.
///
/// It holds no moment, since the next process counts from an origin of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SavedRate {
    /// The share of the configured rate that may be used, above 0 and up to 1.
    pub share: f64,
    /// How much longer the pause lasts that the upstream asked for.
    pub paused_for: Duration,
}

impl Default for SavedRate {
    /// The whole rate, and no pause.
    fn default() -> Self {
        Self { share: 1.0, paused_for: Duration::ZERO }
    }
}
