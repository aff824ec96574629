//! The [`MetricStore`](ttm_perf::MetricStore) and [`EventStore`](ttm_perf::EventStore) ports on PostgreSQL 15 and later.
//!
//! Writers and readers have separate pools, so a long query never starves a batch. A batch is one
//! transaction of `UNNEST` inserts that skip what is there, which makes sending it twice harmless; a dropped future
//! rolls it back. Every wait is bounded: for a connection, for a lock, for a statement. It knows neither what the
//! series mean nor about the tokens that may share its database.

mod adapter;
mod events;
mod schema;
mod statement;

pub use adapter::PostgresMetricStore;
pub use events::PostgresEventStore;
pub use ttm_sqlx_pool::postgres::OpenError;
