//! The ports [`TokenStore`](ttm_market::TokenStore), [`BreakerStore`](ttm_breaker::BreakerStore),
//! [`RecoveryLedger`](ttm_recovery::RecoveryLedger) and [`AlertStore`](ttm_alert::AlertStore) on PostgreSQL 15 and later.
//!
//! Every write is one transaction of whole-batch statements, which a dropped future rolls back. A save first locks the rows
//! of the epoch and of its writer's fencing token, so a claim or a restarted writer waits for it and refuses older writes from
//! then on. [`PostgresLease`] is the [`StoreLease`](ttm_kernel::StoreLease): one process at a time works on the database.
//! Every wait is bounded: for a connection, for a lock, for a statement. It knows nothing about scores or lanes, or about
//! the metrics that may share its database.

mod adapter;
mod alerts;
mod breakers;
mod columns;
mod convert;
mod fence;
mod follow;
mod lease;
mod process;
mod recoveries;
mod schema;

pub use adapter::PostgresTokenStore;
pub use alerts::PostgresAlertStore;
pub use breakers::PostgresBreakerStore;
pub use lease::PostgresLease;
pub use recoveries::PostgresRecoveryLedger;
pub use ttm_sqlx_pool::postgres::OpenError;
