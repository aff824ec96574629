//! The program `ttm`: reads its arguments and hands over to the command line of the library.

use std::process::ExitCode;

#[cfg(all(feature = "test-faults", not(debug_assertions)))]
compile_error!("a release has no faults of tests: build `ttm` without the feature test-faults");

fn main() -> ExitCode {
    ttm_app::cli::main()
}
