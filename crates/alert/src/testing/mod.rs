//! For tests here and elsewhere: a naive model of the engine that is checked against it, and what can happen to either.
//! Nothing of it runs in production.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test helper that is wrong panics, and so does a law that is broken"
)]

mod engine_model;
mod engine_step;
mod example;

pub use engine_model::EngineModel;
pub use engine_step::{Measured, Step, any_step};
pub use example::{labels, rule_set, wall};
