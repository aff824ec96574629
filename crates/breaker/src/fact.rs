//! What the machine is told, as plain data.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::gate::Word;
use crate::{Outcome, Saved};

/// Says which era a call was admitted in and, for a probe, which place it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    /// The word it was admitted under.
    pub(crate) era: Word,
    pub(crate) probe: Option<NonZeroU64>,
}

/// How a call ended, with all that the rules look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) ticket: Ticket,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
    /// Uniform in `[0, 1)`; looked at for probes alone.
    pub(crate) jitter: f64,
}

/// What may be ordered from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    ForceOpen,
    Disable,
    Reset,
    Restore(Saved),
}
