//! The laws of the ports as suites. A broken law panics with what was expected.

mod fixture;
mod follow;
mod incarnations;
pub mod token_source;
pub mod token_store;
pub mod token_view;
