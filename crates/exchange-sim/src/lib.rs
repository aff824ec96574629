//! An HTTP stand-in for the DexScreener API on loopback: a generated market behind the real one's paths, field names,
//! silences and limits, with faults on a script.
//!
//! What it answers is the synthetic market at the runtime's wall time, so two exchanges with one seed agree. What it
//! gets wrong, it gets wrong on purpose: see [`FaultKind`] and [`Poison`].
//!
//! It knows nothing of the clients, and trusts none: a batch that is too long is cut without a word, as the real API does.

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
