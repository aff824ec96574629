//! What goes into the machine with each fact, and what comes out.

use jiff::Timestamp;
use ttm_kernel::{Incarnation, Moment};

use crate::{Entry, PartId};

/// The time of a fact, and the randomness that decisions on it may need.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// By the monotonic clock.
    pub moment: Moment,
    /// By the wall clock, for the ledger.
    pub wall: Timestamp,
    /// Uniform in `[0, 1)`, another one each time.
    pub jitter: f64,
}

/// What the owner of the machine does next, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Put this into the ledger, before anything that follows.
    Record(Entry),
    /// Have the part stop by then, finishing what it has begun; answer with [`Machine::handle_ended`](crate::Machine::handle_ended).
    Stop {
        /// Which part.
        part: PartId,
        /// Which of its incarnations.
        incarnation: Incarnation,
        /// By when.
        deadline: Moment,
    },
    /// Abort it, and take back what it had in flight; answer with [`Machine::handle_ended`](crate::Machine::handle_ended).
    Abort {
        /// Which part.
        part: PartId,
        /// Which of its incarnations.
        incarnation: Incarnation,
    },
    /// Start it from what outlives it.
    Start {
        /// Which part.
        part: PartId,
        /// The new incarnation.
        incarnation: Incarnation,
    },
    /// Build the work plane anew, and leave the one before behind with all that runs there. The parts that belong there are started
    /// next.
    RebuildPlane,
    /// Stop in order, and end the process so that another one is started.
    EndProcess {
        /// Why, in a line for a person.
        cause: String,
    },
}
