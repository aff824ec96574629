//! The breaker, retry, budget and limiter compared with their peers: `cargo xtask bench breaker`.
//!
//! It asserts only that every call had the expected result; whether a target was met is for the reader. A part of a name as
//! argument runs only the matching rows, and does not write the JSON file:
//! `cargo bench -p ttm-bench --bench breaker -- closed`.

mod rows;
mod subjects;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    ttm_bench::run("breaker", env!("CARGO_TARGET_TMPDIR"), &rows::all(), &[])
}
