//! The oracles: what must hold at every moment of a simulation, whatever the faults. They see the service only from
//! outside, through its ports and its published state.

mod availability;
mod breaker;
mod events;
pub mod health;
mod pace;
mod succession;
mod tokens;

use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use ttm_kernel::Clock;

use crate::SimRuntime;

pub use availability::{Availability, SLOT, Slot};
pub use breaker::{BreakerRules, BreakerWatch, CallEnd, WatchedCall};
pub use events::{EventLedger, every_change_has_its_event, none_lost};
pub use pace::{Limit, Pace};
pub use succession::Succession;
pub use tokens::{is_stored_as_seen, silence_unlists_nobody, unlisted};

/// What the outside API and the operators were promised, whatever the service was then ordered to do.
#[derive(Clone, Copy, Debug)]
pub struct Promises {
    /// Requests in any sliding minute, at most.
    pub requests_per_minute: usize,
    /// Attempts of one call, at most.
    pub attempts: usize,
    /// What the breaker keeps from the API.
    pub breaker: BreakerRules,
    /// How long a stop may take.
    pub stop_within: Duration,
}

/// How many broken promises are kept as text; the rest is counted.
const KEPT: usize = 20;

/// The promises that were broken so far.
#[derive(Debug)]
pub struct Verdicts {
    runtime: SimRuntime,
    broken: Mutex<(u64, Vec<String>)>,
}

impl Verdicts {
    /// None broken yet.
    pub fn new(runtime: SimRuntime) -> Self {
        Self { runtime, broken: Mutex::default() }
    }

    /// Notes that a promise was broken.
    pub fn broken(&self, promise: impl fmt::Display) {
        self.runtime.trace(format_args!("BROKEN: {promise}"));
        let mut broken = self.broken.lock();
        broken.0 += 1;
        if broken.1.len() < KEPT {
            broken.1.push(format!("{:?} {promise}", self.runtime.now()));
        }
    }

    /// Notes what a check found.
    pub fn check(&self, found: Result<(), String>) {
        if let Err(promise) = found {
            self.broken(promise);
        }
    }

    /// How many there were, and the first of them as text.
    pub fn all(&self) -> (u64, Vec<String>) {
        self.broken.lock().clone()
    }
}
