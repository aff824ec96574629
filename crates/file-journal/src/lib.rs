//! What is kept without the store, which may be away, in local files: the port [`LastWords`](ttm_recovery::LastWords), what a
//! process says right before it ends, and the port [`AlertJournal`](ttm_alert::AlertJournal), what was sent from memory.
//!
//! A file is a header line with the version of its format, and a line for each entry: the CRC-32 of the JSON and the
//! newline in eight hex digits, a space, and the entry as JSON. A write appends its lines and returns once they are on the disk; the
//! first one has the folder synced before, so that the file's name is there as well. What would make it larger than it may be is
//! refused.
//!
//! What makes it sound: a line ends with the only newline in it. So what a crash leaves of a write that never returned has no
//! newline at its end, and is left out by the next read and cut off by the next write. Anything else that does not match its
//! checksum is damage, and an error. It is used by one process at a time, the holder of the store's lease, creates no folder and
//! keeps no file open.

mod alerts;
mod dto;
mod file;
mod journal;
mod lines;

pub use alerts::FileAlertJournal;
pub use journal::FileJournal;
