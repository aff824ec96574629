//! The port [`LastWords`](ttm_recovery::LastWords) on one local file: what a process says right before it ends, kept without
//! the store, which may be the reason why it ends.
//!
//! The file is a header line with the version of the format, and a line for each entry: the CRC-32 of the JSON and the
//! newline in eight hex digits, a space, and the entry as JSON. A write appends its lines and returns once they are on the disk; the
//! first one has the folder synced before, so that the file's name is there as well.
//!
//! What makes it sound: a line ends with the only newline in it. So what a crash leaves of a write that never returned has no
//! newline at its end, and is left out by the next read and cut off by the next write. Anything else that does not match its
//! checksum is damage, and an error. It is used by one process at a time, the holder of the store's lease, creates no folder and
//! keeps no file open.

mod dto;
mod file;
mod journal;

pub use journal::FileJournal;
