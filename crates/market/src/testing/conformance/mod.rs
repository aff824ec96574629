//! The laws of the ports as suites. All laws are checked before those that do not hold are reported.

mod fixture;
mod follow;
mod incarnations;
pub mod pair_source;
pub mod token_source;
pub mod token_store;
pub mod token_view;
