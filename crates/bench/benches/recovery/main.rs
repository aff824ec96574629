//! Self-healing: `cargo xtask bench recovery`.
//!
//! How long the real program takes to be ready, to heal and to answer meanwhile, and what watching over it costs. A part of a
//! name as argument runs only the matching scenarios.

mod processes;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    ttm_bench::run("recovery", env!("CARGO_TARGET_TMPDIR"), &[], &processes::SCENARIOS)
}
