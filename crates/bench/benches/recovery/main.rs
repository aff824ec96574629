//! Self-healing: `cargo xtask bench recovery`.
//!
//! What readers get under a rate of faults with self-healing and without, simulated; then how long the real program takes to be
//! ready, to heal and to answer meanwhile, and what watching over it costs. A part of a name as argument runs only the matching
//! scenarios.

mod processes;
mod simulated;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut scenarios = vec![simulated::DAYS];
    scenarios.extend(processes::SCENARIOS);
    ttm_bench::run("recovery", env!("CARGO_TARGET_TMPDIR"), &[], &scenarios)
}
