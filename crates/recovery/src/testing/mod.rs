//! For tests here and elsewhere: faithful fakes of the ledger and of the last words, their laws as suites, which are plain
//! futures and functions, and strategies for entries. Nothing of it runs in production.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test helper that is wrong panics, and so does a law that is broken"
)]

pub mod conformance;
mod entries;
mod last_words;
pub mod last_words_conformance;
mod recovery_ledger;
mod strategy;

pub use crate::port::{
    MockLastWords, MockRecoveryControl, MockRecoveryLedger, MockServiceManager, MockThreadSource,
};
pub use last_words::FakeLastWords;
pub use recovery_ledger::FakeRecoveryLedger;
pub use strategy::{any_entry, any_fact};
