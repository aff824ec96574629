//! SQLite: one file, a real fsync at every commit, no server.

mod check;
mod error;
mod file;
mod path;
mod time;

pub use check::check;
pub use error::{OpenError, PUT_BACK, store_error};
pub use file::File;
pub use path::resolved;
pub use time::time;
