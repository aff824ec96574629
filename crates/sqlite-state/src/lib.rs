//! The ports [`TokenStore`](ttm_market::TokenStore) and [`BreakerStore`](ttm_breaker::BreakerStore) on SQLite: one
//! file, a real fsync at every commit, no server.
//!
//! One connection writes and a few read, so that readers never hold up the writer (WAL). Every write is one
//! `BEGIN IMMEDIATE` transaction, which a dropped future rolls back. It knows nothing of scores or lanes, and
//! nothing of the metrics that may share its file.

mod adapter;
mod breakers;
mod convert;
mod fence;
mod follow;
mod schema;

pub use adapter::SqliteTokenStore;
pub use breakers::SqliteBreakerStore;
pub use ttm_sqlx_pool::sqlite::OpenError;
