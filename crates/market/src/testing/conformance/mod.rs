//! The laws of the ports as suites. A broken law panics with what was expected. It does not know what stands behind a
//! port.

mod fixture;
mod follow;
mod incarnations;
pub mod token_source;
pub mod token_store;
pub mod token_view;
