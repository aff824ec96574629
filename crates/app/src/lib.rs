//! The program `ttm` around the service: its configuration, the composition that names the adapters behind the ports, the
//! planes' threads and the command line.

pub mod cli;
pub mod compose;
pub mod config;
mod log;
mod planes;
mod telemetry;
