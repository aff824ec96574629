//! Schedule: when each lane runs, without overlap.
//!
//! Each [`Lane`](ttm_kernel::Lane) has a grid of ticks, one interval apart, that starts when the service does. [`Scheduler::poll`] starts
//! a run on a tick; a tick that comes while the lane's last run is still under way is *missed*: counted, never queued.
//! The grid does not drift: a late run does not move the ticks after it. Another interval starts another grid
//! ([`Scheduler::reconfigure`]). What a run does first is not its
//! business.
//!
//! A lane makes **progress** when work is committed, or when a scan finds nothing due. A tick is not progress, and
//! neither is a run in which everything failed.
//!
//! Facts go in (`handle_*`), runs to start come out ([`Scheduler::poll`]), and [`Scheduler::poll_timeout`] says when to
//! come back. It starts nothing itself, reads no clock, and knows nothing of tokens.

mod config;
mod scheduler;
mod status;

pub use config::{ScheduleConfig, ScheduleSettings};
pub use scheduler::{Effect, Scheduler};
pub use status::{LaneStatus, RunOutcome};
