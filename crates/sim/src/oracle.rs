//! The oracles: what must hold at every moment of a simulation, whatever the faults. They observe the service only
//! from outside, through its ports and its published state, so they cannot share its mistakes.

mod availability;
mod breaker;
mod events;
pub mod health;
mod pace;
pub mod recovery;
mod succession;
mod telling;
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
pub use recovery::Budgets;
pub use succession::Succession;
pub use telling::{Telling, Told};
pub use tokens::{is_stored_as_published, silence_unlists_no_token, unlisted};

/// The promises to the upstream API and to the operators, whatever the service is configured to do.
#[derive(Clone, Copy, Debug)]
pub struct Promises {
    /// The most requests in any sliding minute.
    pub requests_per_minute: usize,
    /// The most attempts of one call.
    pub attempts: usize,
    /// When the breaker must keep calls from the API.
    pub breaker: BreakerRules,
    /// How often self-healing may restart what.
    pub recovery: recovery::Budgets,
    /// How long a stop may take.
    pub stop_within: Duration,
}

/// How many broken promises are kept as text; the others are only counted.
const MAX_KEPT: usize = 20;

/// The promises broken so far.
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

    /// Records a broken promise.
    pub fn broken(&self, promise: impl fmt::Display) {
        self.runtime.trace(format_args!("BROKEN: {promise}"));
        let mut broken = self.broken.lock();
        broken.0 += 1;
        if broken.1.len() < MAX_KEPT {
            broken.1.push(format!("{:?} {promise}", self.runtime.now()));
        }
    }

    /// Records the result of a check.
    pub fn check(&self, found: Result<(), String>) {
        if let Err(promise) = found {
            self.broken(promise);
        }
    }

    /// The number of broken promises, and the first ones as text.
    pub fn all(&self) -> (u64, Vec<String>) {
        self.broken.lock().clone()
    }
}
