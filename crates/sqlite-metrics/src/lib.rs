//! The [`MetricStore`](ttm_perf::MetricStore) and [`EventStore`](ttm_perf::EventStore) ports on SQLite: one file, a real
//! fsync at every commit, no server.
//!
//! One connection writes and a few read, so readers never block the writer (WAL). A batch is one
//! `BEGIN IMMEDIATE` transaction, which a dropped future rolls back. It knows neither what the
//! series mean nor about the tokens that may share its file.

mod adapter;
mod events;
mod schema;
mod statement;

pub use adapter::SqliteMetricStore;
pub use events::SqliteEventStore;
pub use ttm_sqlx_pool::sqlite::OpenError;
