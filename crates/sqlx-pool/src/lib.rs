//! What two stores on one technology share: how a database is opened, how its schema is migrated, and what an error means to
//! the caller.
//!
//! A store brings its [`Schema`] and gets the driver's errors as the kernel's [`StoreError`](ttm_kernel::StoreError). Each
//! technology is a feature, so that a store builds only its own. Nothing here knows a port, a table or what is kept in it.

mod connections;
mod failure;
#[cfg(feature = "postgres")]
pub mod postgres;
mod schema;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use connections::connections;
pub use schema::Schema;
