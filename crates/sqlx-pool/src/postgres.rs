//! PostgreSQL 15 and later: a server that may be away, slow or read-only. Nothing waits for it for ever.

mod error;
mod server;
#[cfg(feature = "testing")]
pub mod testing;
mod time;

pub use error::{OpenError, failure, store_error};
pub use server::Server;
pub use time::Time;
