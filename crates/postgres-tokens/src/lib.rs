//! The port [`TokenSource`](ttm_market::TokenSource) on the PostgreSQL of an existing To The Moon system: the table
//! `tokens` with the columns `mint_address` and `status`.
//!
//! The database belongs to somebody else: every session is read-only, there are at most two of them, and nothing there is
//! migrated. Rows that hold no mint are left out and counted, because nobody here can mend them. It does not know how
//! often anybody looks.

mod adapter;

pub use adapter::PostgresTokenSource;
pub use ttm_sqlx_pool::postgres::OpenError;
