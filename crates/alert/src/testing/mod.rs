//! For tests here and elsewhere: a naive model of the engine that is checked against it, what can happen to either, and a stage on which a
//! desk acts before a judge, and the fakes, mocks and suites of the ports. Nothing of it runs in production.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test helper that is wrong panics, and so does a law that is broken"
)]

mod alert_journal;
mod alert_store;
mod any_commit;
mod commits;
pub mod conformance;
mod engine_model;
mod engine_step;
mod example;
mod incident;
pub mod journal_conformance;
mod judge;
mod notifier;
pub mod notifier_conformance;
pub mod small;
mod stage;
mod wording;

pub use crate::control::MockAlertControl;
pub use crate::memory::Memory;
pub use crate::port::{MockAlertJournal, MockAlertStore, MockFeed, MockHeartbeat, MockNotifier};
pub use alert_journal::FakeAlertJournal;
pub use alert_store::FakeAlertStore;
pub use any_commit::{any_commit, any_journalled};
pub use engine_model::EngineModel;
pub use engine_step::{Measured, Step, any_step};
pub use example::{labels, rule_set, wall};
pub use incident::{Incident, any_history, any_incident};
pub use judge::Judge;
pub use notifier::FakeNotifier;
pub use stage::{Delivery, Health, Stage};
pub use wording::{Saying, any_about, any_attempt};
