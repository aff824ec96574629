//! The ports to time and tasks on tokio and the machine's own clocks.
//!
//! It does not know what runs on it, and holds no policy: which plane a task belongs to, and what happens after a
//! panic, is decided by the caller.

mod clock;
mod runtime;

pub use clock::TokioClock;
pub use runtime::TokioRuntime;
