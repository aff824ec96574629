//! The inputs of the machine, as plain data.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::gate::Word;
use crate::{Outcome, Saved};

/// The generation that admitted a call and, for a probe, the place that it holds.
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
    /// Uniform in `[0, 1)`; used for probes only.
    pub(crate) jitter: f64,
}

/// Orders from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    ForceOpen,
    Disable,
    Reset,
    Restore(Saved),
}
