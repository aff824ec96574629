//! The port [`TokenSource`](ttm_market::TokenSource) on a file: one mint per line, `#` starts a comment.
//!
//! Edits of the file need not be atomic: an editor truncates a file before it writes it, so a listing is used only if two
//! reads in a row are equal, and a file without a mint is an error, not an empty set. The adapter has no schedule, and
//! never writes.

mod adapter;
mod read;

pub use adapter::FileTokenSource;
