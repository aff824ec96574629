//! The port [`TokenSource`](ttm_market::TokenSource) on the PostgreSQL of an existing To The Moon system: the table
//! `tokens` with the columns `mint_address` and `status`.
//!
//! The database belongs to another system: there are at most two sessions, all read-only, and nothing is migrated. Rows
//! without a valid mint are skipped and counted, because they cannot be fixed here. The adapter has no schedule.

mod adapter;

pub use adapter::PostgresTokenSource;
pub use ttm_sqlx_pool::postgres::OpenError;
