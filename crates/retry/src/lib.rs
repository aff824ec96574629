//! Retry: when to try a failed call again, and when to give up.
//!
//! A [`RetryPolicy`] says how long to wait between attempts; a [`Retry`] follows one call through its attempts and
//! answers each failure with a [`Decision`]. Waiting is the caller's business: the answer is a moment.
//!
//! Laws, each of them a property test:
//! 1. it never answers with a moment at or after the deadline;
//! 2. a wait is never shorter than what the far side asked for, up to the cap on that;
//! 3. a wait that nobody asked for lies within its jitter's bounds, and never exceeds `max_delay`;
//! 4. a call makes at most `max_attempts` attempts, and a permanent failure is never tried again;
//! 5. nothing overflows, whatever the attempt's number or the durations.
//!
//! It knows nothing of HTTP, breakers or clocks.

mod attempts;
mod policy;

pub use attempts::{Class, Decision, GiveUpReason, Retry};
pub use policy::{Jitter, RetryPolicy, RetrySettings};
