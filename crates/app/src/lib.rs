//! To The Moon: the service that scores tokens, and the program around it.
//!
//! [`service`] is the production composition over [`Ports`] and [`Planes`]; the simulator runs exactly that. With the
//! feature `adapters` come the concrete adapters (`compose`), the two planes on real threads, and the command line.

#[cfg(feature = "adapters")]
pub mod cli;
#[cfg(feature = "adapters")]
pub mod compose;
pub mod config;
#[cfg(feature = "adapters")]
mod demo;
#[cfg(feature = "adapters")]
mod log;
#[cfg(feature = "adapters")]
mod planes;
mod ports;
pub mod service;
#[cfg(feature = "adapters")]
mod telemetry;

pub use ports::{Planes, Ports};
