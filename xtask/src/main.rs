//! The project's own tool, run as `cargo xtask …`: everything that a developer or CI does with the workspace beyond
//! plain cargo.
//!
//! It depends on no crate of ours, so it builds in seconds, and works even if they do not compile.

mod bench;
mod ci;
mod deny;
mod generated;
mod graph;
mod mutants;
mod packages;
mod phase;
mod process;
mod services;
mod systemd;
mod tally;
mod test;
mod tidy;
mod tool;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's own tool")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds and tests everything, PostgreSQL included, and ends with the sum over all test programs
    Test(test::Options),
    /// Starts a throw-away PostgreSQL, prints its URL and stops it on Ctrl-C
    #[command(
        after_help = "Example:\n  cargo xtask services\n  TTM_TEST_DATABASE_URL=<the printed URL> cargo test"
    )]
    Services,
    /// Checks dependencies, manifests, modules and sources against the project's rules
    #[command(after_help = "Example:\n  cargo xtask tidy")]
    Tidy,
    /// Measures speed with the crates' benches
    Bench(bench::Options),
    /// Breaks the code on purpose, one rule at a time, and expects a test to fail
    Mutants(mutants::Options),
    /// Writes the default rules of alerts as rules of Prometheus to deploy/prometheus/rules.yml
    #[command(after_help = "Example:\n  cargo xtask rules && git diff deploy")]
    Rules,
    /// Writes the catalogue of the history to docs/metrics.md
    #[command(after_help = "Example:\n  cargo xtask metrics && git diff docs")]
    Metrics,
    /// Runs what CI runs: fmt, tidy, clippy, each crate alone, doc, deny, mutants, systemd, test
    Ci(ci::Options),
    /// Keeps a PostgreSQL running until standard input closes (the other half of `services` and `test`)
    #[command(hide = true)]
    KeepPostgres(services::KeepOptions),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Services => services::run(),
        Command::Tidy => tidy::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Mutants(options) => mutants::run(&options),
        Command::Rules => generated::rules(),
        Command::Metrics => generated::metrics(),
        Command::Ci(options) => ci::run(&options),
        Command::KeepPostgres(options) => services::keep(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
