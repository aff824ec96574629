//! The breaker, the retry, the budget and the limiter beside their peers, in one run: `cargo xtask bench breaker`.
//!
//! It asserts nothing but that every call went as it should; whether a target was met is for the reader. A part of a
//! row's name as argument runs these rows alone, and then leaves the file for programs as it is:
//! `cargo bench -p ttm-bench --bench breaker -- closed`.

mod rows;
mod subjects;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    ttm_bench::run("breaker", env!("CARGO_TARGET_TMPDIR"), &rows::all(), &[])
}
