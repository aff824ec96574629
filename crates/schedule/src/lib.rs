//! Schedule: when each lane runs, without overlap.
//!
//! Each [`Lane`](ttm_kernel::Lane) has a grid of ticks, one interval apart, that starts when the service does. [`Scheduler::poll`] starts
//! a run on a tick; a tick while the lane's last run is still in progress is *missed*: counted, never queued.
//! The grid does not drift: a late run does not move later ticks. Another interval starts another grid
//! ([`Scheduler::reconfigure`]).
//!
//! A lane makes **progress** when work is committed, or when a run ends and has left nothing: nothing failed, and nothing was
//! deferred. A tick is not progress.
//!
//! Facts go in (`handle_*`), runs to start come out ([`Scheduler::poll`]), and [`Scheduler::poll_timeout`] says when to
//! come back. It starts nothing itself, reads no clock, and does not know what a run does.

mod config;
mod scheduler;
mod status;

pub use config::{ScheduleConfig, ScheduleSettings};
pub use scheduler::{Effect, Scheduler};
pub use status::{LaneStatus, RunOutcome};
