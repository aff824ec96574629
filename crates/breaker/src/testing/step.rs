//! What can happen to a breaker, and what its caller sees of it, as plain data.

use std::time::Duration;

use crate::{BreakerSettings, Outcome, Rejected, Verdict};

/// What can happen to a breaker.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A call asks to be admitted.
    Admit,
    /// The call that was admitted as number `permit` reports.
    Report {
        /// Which call, counted from 0.
        permit: usize,
        /// How it ended.
        outcome: Outcome,
        /// How long it took, when the caller says so; else it is the time since its admission.
        took: Option<Duration>,
    },
    /// A call is cancelled.
    Drop {
        /// Which call.
        permit: usize,
    },
    /// A permit is leaked.
    Leak {
        /// Which call.
        permit: usize,
    },
    /// Time passes.
    Wait(Duration),
    /// The next callers bring a `now` that is this much older.
    Rewind(Duration),
    /// An operator forces the breaker open.
    ForceOpen,
    /// An operator disables it.
    Disable,
    /// An operator resets it.
    Reset,
    /// The breaker is reconfigured.
    Reconfigure(Box<BreakerSettings>),
    /// The process ends, with all calls, and another begins so long after it, on a clock of its own.
    Restart(Duration),
}

/// What the caller must have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The step returns nothing.
    Nothing,
    /// The call was admitted.
    Admitted {
        /// Whether it decides about recovery.
        probe: bool,
    },
    /// It was rejected.
    Rejected(Rejected),
    /// The verdict on a report.
    Reported(Verdict),
}
