//! The port [`TokenSource`](ttm_market::TokenSource) on a file: one mint a line, `#` begins a comment.
//!
//! Whoever edits the file is not asked to do it well: an editor empties a file before it writes it, so the file counts
//! only when two reads in a row are equal, and a file without a mint is a mistake, not an empty set. It does not know how
//! often anybody looks, and never writes.

mod adapter;
mod read;

pub use adapter::FileTokenSource;
