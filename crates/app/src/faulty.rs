//! The program as `ttm`, in which tests make faults: see `ttm_service::faults`. It is part of no release.

use std::process::ExitCode;

fn main() -> ExitCode {
    ttm_app::cli::main()
}
