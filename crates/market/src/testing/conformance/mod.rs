//! The laws of the ports as suites. A broken law panics with what was expected. It does not know what stands behind a
//! port.

pub mod token_store;
pub mod token_view;
