//! What two stores on one technology have in common, below both: how a database is opened, how a schema is brought up
//! to date, and what an error means to whoever called.
//!
//! A store brings its [`Schema`] and maps a [`Failure`] to the error of its own port. Each technology is a feature, so
//! that a store builds its own alone. Nothing here knows a port, a table or what is kept in it.

mod connections;
mod failure;
#[cfg(feature = "postgres")]
pub mod postgres;
mod schema;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use connections::connections;
pub use failure::{Failure, Verdict};
pub use schema::Schema;
