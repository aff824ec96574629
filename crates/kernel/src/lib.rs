//! What all crates share: moments, the ports to time, randomness, tasks and the store's lease, the two lanes of work, store
//! errors, fencing tokens, severities, names of instances and ids.
//!
//! It does not depend on any domain, and holds no implementation of a port: those live in
//! `tokio-runtime` for the real machine, in `testkit` for tests and in `sim` for the simulator.

mod deadline;
mod entropy;
mod failure;
mod fencing;
mod figures;
mod id;
mod instance;
mod lane;
mod lease;
mod moment;
mod runtime;
mod setting;
mod severity;
mod store_error;
#[cfg(feature = "testing")]
pub mod testing;

pub use deadline::{DeadlineExceeded, within};
pub use entropy::Entropy;
pub use failure::FailureClass;
pub use fencing::{Admission, Epoch, FencingToken, Incarnation};
pub use figures::{Connections, Quantiles};
pub use id::CorrelationId;
pub use instance::{Instance, InvalidInstance};
pub use lane::{Lane, PerLane};
pub use lease::{LeaseError, StoreLease};
pub use moment::Moment;
pub use runtime::{BoxFuture, Clock, Now, Runtime, Task, TaskEnd};
pub use setting::{InvalidSetting, SettingChecks};
pub use severity::Severity;
pub use store_error::{FencedBy, OPERATOR_RETRY, StoreError, StoreErrorKind};
