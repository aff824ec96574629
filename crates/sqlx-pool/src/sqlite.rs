//! SQLite: one file, a real fsync at every commit, no server.

mod error;
mod file;
mod time;

pub use error::{OpenError, failure, store_error};
pub use file::File;
pub use time::time;
