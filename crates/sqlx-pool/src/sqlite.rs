//! SQLite: one file, a real fsync at every commit, no server.

mod error;
mod file;
mod time;

pub use error::{OpenError, failure};
pub use file::File;
pub use time::time;
