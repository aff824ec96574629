//! The program `ttm`: reads its arguments and hands over to the command line of the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ttm_app::cli::main()
}
