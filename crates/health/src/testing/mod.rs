//! For the tests of other crates: fakes of the ports, their laws as a suite, and strategies for facts.

pub mod conformance;
mod fake;
mod strategy;

pub use fake::{FakeHealthView, FakeResourceSource};
pub use strategy::{Worsening, any_facts, any_worsening, healthy_facts};

pub use crate::port::{MockHealthView, MockResourceSource};
