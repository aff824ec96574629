//! The program `ttm` around the service: its configuration, the composition of the adapters behind the ports, the threads
//! of the planes, the log, the metrics and the command line.

pub mod cli;
pub mod compose;
pub mod config;
mod log;
mod planes;
mod runbooks;
mod telemetry;
