//! Recovery: what is restarted, when, how hard, and when not.
//!
//! It knows parts by their names, failures by their [class](ttm_kernel::FailureClass) and dependencies by their names; it
//! never knows what a part does. Facts go in, effects come out; it reads no clock, starts nothing and stops nothing.

mod accounts;
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
pub use config::{RecoveryConfig, RecoverySettings};
pub use effect::{Effect, Now};
pub use entry::{By, Entry, EntryKey, Fact, InvalidEntry, Outcome, Step};
pub use machine::{Machine, Past};
pub use part::{PartId, PartSpec};
pub use port::{
    LEDGER_KEEPS, LastWords, Notice, PartView, RecoveryControl, RecoveryLedger, RestartRefused,
    ServiceManager, ThreadFacts, ThreadSource,
};
pub use record::Record;
pub use recoveries::{Recoveries, Recovery, Taken};
pub use state::{IllegalMove, Move, State};
