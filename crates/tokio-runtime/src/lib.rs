//! The Runtime port on tokio.
