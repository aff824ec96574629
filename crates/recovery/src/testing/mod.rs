//! For tests here and elsewhere: a stage on which a machine acts, and a [`Model`] that judges it, faithful fakes of the ledger and of the last words, their laws as suites, which are plain
//! futures and functions, and strategies for entries. Nothing of it runs in production.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test helper that is wrong panics, and so does a law that is broken"
)]

pub mod conformance;
mod entries;
mod fault;
mod history;
mod incident;
mod last_words;
pub mod last_words_conformance;
mod model;
mod recovery_ledger;
mod stage;
mod strategy;
mod table;

pub use crate::port::{
    MockLastWords, MockRecoveryControl, MockRecoveryLedger, MockServiceManager, MockThreadSource,
};
pub use fault::{Ends, Fault, Shows};
pub use history::{any_config, any_history, any_incident};
pub use incident::Incident;
pub use last_words::FakeLastWords;
pub use model::Model;
pub use recovery_ledger::FakeRecoveryLedger;
pub use stage::Stage;
pub use strategy::{any_entry, any_fact};
pub use table::{API, STORE, table};
