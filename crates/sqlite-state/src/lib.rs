//! The ports [`TokenStore`](ttm_market::TokenStore), [`BreakerStore`](ttm_breaker::BreakerStore),
//! [`RecoveryLedger`](ttm_recovery::RecoveryLedger) and [`AlertStore`](ttm_alert::AlertStore) on SQLite: one file, a real fsync at
//! every commit, no server.
//!
//! One connection writes and a few read, so readers never block the writer (WAL). Every write is one `BEGIN IMMEDIATE`
//! transaction, which a dropped future rolls back. [`SqliteLease`] lets one process at a time work on the file. It knows
//! nothing about scores or lanes, or about the metrics that may share its file.

mod adapter;
mod alerts;
mod breakers;
mod convert;
mod fence;
mod follow;
mod lease;
mod recoveries;
mod schema;

pub use adapter::SqliteTokenStore;
pub use alerts::SqliteAlertStore;
pub use breakers::SqliteBreakerStore;
pub use lease::SqliteLease;
pub use recoveries::SqliteRecoveryLedger;
pub use ttm_sqlx_pool::sqlite::OpenError;
