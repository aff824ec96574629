//! PostgreSQL 15 and later, behind a pooler or not: a server that may be away, slow or read-only. Nothing waits for it
//! for ever.

mod error;
mod migrate;
mod open;
mod pool;
mod server;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod url;

pub use error::{OpenError, foreign_error, is_missing_database, is_missing_table, store_error};
pub use migrate::ensure_table;
pub use pool::{Pool, Transaction, answered, query, query_as, query_scalar};
pub use server::Server;
pub use time::Time;
