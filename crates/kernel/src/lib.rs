//! What every crate of the house shares: moments, the ports to time, chance and tasks, severities and ids.
//!
//! It knows nothing of tokens, breakers or stores, and holds no implementation of a port: those live in
//! `tokio-runtime` for the real machine, in `testkit` for tests and in `sim` for the simulator.

mod deadline;
mod entropy;
mod id;
mod moment;
mod runtime;
mod setting;
mod severity;

pub use deadline::{DeadlineExceeded, within};
pub use entropy::Entropy;
pub use id::{CorrelationId, Epoch};
pub use moment::Moment;
pub use runtime::{BoxFuture, Clock, Now, Runtime, Task, TaskEnd};
pub use setting::{InvalidSetting, SettingChecks};
pub use severity::Severity;
