//! The [`MetricStore`](ttm_perf::MetricStore) and [`EventStore`](ttm_perf::EventStore) ports on PostgreSQL 15 and later.
//!
//! Writers and readers have pools of their own, so that a long question never starves a batch. A batch is one
//! transaction of `UNNEST` inserts that skip what is there, which makes sending it twice harmless; a dropped future
//! rolls it back. Nothing waits for ever: not for a connection, not for a lock, not for a statement. It knows nothing
//! of what the series mean, and nothing of the tokens that may share its database.

mod adapter;
mod events;
mod schema;
mod statement;

pub use adapter::PostgresMetricStore;
pub use events::PostgresEventStore;
pub use ttm_sqlx_pool::postgres::OpenError;
