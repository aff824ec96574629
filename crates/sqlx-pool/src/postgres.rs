//! PostgreSQL 15 and later, directly or behind a pooler. The server may be down, slow or read-only, so every wait is bounded.

mod error;
mod migrate;
mod open;
mod pool;
mod server;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod turn;
mod url;

pub use error::{OpenError, foreign_error, is_missing_database, is_missing_table, store_error};
pub use migrate::ensure_table;
pub use pool::{Pool, Transaction, answered, query, query_as, query_scalar};
pub use server::Server;
pub use time::Time;
