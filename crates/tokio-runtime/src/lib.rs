//! The ports for time, tasks and entropy, on tokio and the clocks of the machine.
//!
//! The crate has no policy: which plane a task belongs to, and what happens after a panic, is decided by the caller.

mod clock;
mod runtime;

pub use clock::TokioClock;
pub use runtime::TokioRuntime;
