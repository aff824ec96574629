//! Recovery: a pure machine that knows parts by their names, failures by their [class](ttm_kernel::FailureClass) and dependencies by
//! their names, and never what a part does.
#![doc = include_str!("../README.md")]

mod accounts;
mod budget;
mod config;
mod effect;
mod entry;
mod machine;
mod part;
mod port;
mod record;
mod recoveries;
mod state;
#[cfg(feature = "testing")]
pub mod testing;

pub use accounts::IllegalEntry;
pub use budget::{Budget, Budgets};
pub use config::{RecoveryConfig, RecoverySettings};
pub use effect::{Effect, Now};
pub use entry::{By, Entry, EntryKey, Fact, InvalidEntry, Outcome, Step};
pub use machine::{Machine, Past};
pub use part::{PartId, PartSpec};
pub use port::{
    LEDGER_KEEPS, LastWords, Notice, PartView, RECOVERIES_SHOWN, RecoveryControl, RecoveryLedger,
    RestartRefused, ServiceManager, ThreadFacts, ThreadSource,
};
pub use record::Record;
pub use recoveries::{Lately, Recoveries, Recovery, Taken};
pub use state::{IllegalMove, Move, State};
