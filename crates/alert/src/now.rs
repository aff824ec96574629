//! The time of a fact, and the randomness that decisions on it may need.

use jiff::Timestamp;
use ttm_kernel::Moment;

/// What goes in with every fact that has a time.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// By the monotonic clock, for waits.
    pub moment: Moment,
    /// By the wall clock, for reminders and what a person reads.
    pub wall: Timestamp,
    /// Uniform in `[0, 1)`, another one each time.
    pub jitter: f64,
}
