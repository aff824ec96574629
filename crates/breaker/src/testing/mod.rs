//! For tests here and elsewhere: a plain reference [`Model`] of the breaker and the [`Driver`] that
//! holds a breaker against it, strategies for settings and steps, faithful
//! fakes of both ports, and their laws as suites, which know no runtime. Nothing of it runs in production.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test helper that is wrong panics, and so does a law that is broken"
)]

mod breaker_control;
mod breaker_store;
pub mod conformance;
pub mod control_conformance;
mod driver;
mod model;
mod outcomes;
mod step;
mod strategy;

pub use crate::control::MockBreakerControl;
pub use crate::port::MockBreakerStore;
pub use breaker_control::FakeBreakerControl;
pub use breaker_store::FakeBreakerStore;
pub use driver::Driver;
pub use model::Model;
pub use step::{Seen, Step};
pub use strategy::{any_settings, any_step};
