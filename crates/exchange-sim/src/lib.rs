//! An HTTP stand-in for the DexScreener API on loopback: a synthetic market behind the paths, field names and limits of the
//! real API, with scripted faults.
//!
//! Its data is the synthetic market at the wall time of the runtime, so two exchanges with the same seed agree. Everything
//! that it gets wrong is a [`FaultKind`] or a [`Poison`].
//!
//! It knows nothing of its clients: like the real API, it silently truncates a batch that is too long.

mod answer;
mod body;
mod config;
mod fault;
mod limit;
mod misbehaviour;
mod poison;
mod profile;
mod question;
mod response;
mod server;
mod stats;
mod wire;

pub use config::{ExchangeConfig, Latency};
pub use fault::{Fault, FaultKind, InvalidFault, Percent};
pub use poison::Poison;
pub use server::{Exchange, ExchangeHandle, StartError};
pub use stats::{Endpoint, ExchangeStats, Outcome};
