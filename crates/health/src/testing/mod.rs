//! For the tests of other crates: fakes of the ports, their laws as suites, and strategies for facts.

pub mod conformance;
mod fake;
mod strategy;
pub mod view_conformance;
mod worsening;

pub use fake::{FakeHealthView, FakeResourceSource};
pub use strategy::{any_facts, healthy_facts};
pub use worsening::{Worsening, any_worsening};

pub use crate::port::{MockHealthView, MockResourceSource};
