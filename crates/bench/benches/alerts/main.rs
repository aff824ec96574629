//! Alerts: `cargo xtask bench alerts`.
//!
//! What an evaluation costs among 100,000 alerts that fire, and what such an alert takes of memory; into how many messages a storm
//! goes; and how long a CRITICAL alert of the real program takes to the wire. A part of a name as argument runs only the matching
//! scenarios.

mod crowd;
mod desk;
mod storm;
mod wire;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let scenarios = [crowd::EVALUATION, crowd::MEMORY, storm::STORM, wire::CRITICAL];
    ttm_bench::run("alerts", env!("CARGO_TARGET_TMPDIR"), &[], &scenarios)
}
