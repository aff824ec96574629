//! `cargo xtask ci`: everything that must hold before a change lands, phase by phase, with a table of times at the end.
//!
//! Phases share artefacts: warnings are denied through clippy's and rustdoc's own arguments, never through `RUSTFLAGS`.

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::graph::{self, Layer};
use crate::phase::Phases;
use crate::process::{self, cargo};
use crate::{deny, mutants, test, tidy};

#[derive(Args)]
#[command(after_help = "Examples:\n  cargo xtask ci\n  cargo xtask ci --without test --without deny")]
pub(crate) struct Options {
    /// Leaves this phase out (may be repeated)
    #[arg(long, value_name = "PHASE")]
    without: Vec<Phase>,
}

/// All mutants take half an hour and more, for which CI has no time.
const MUTANTS: u32 = 8;

/// In the order in which they run: what fails fastest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Phase {
    /// rustfmt has nothing to change
    Fmt,
    /// the project's rules hold
    Tidy,
    /// no lint warns, with all features
    Clippy,
    /// each pure crate, and the app without its adapters, compiles by itself and without test features
    Alone,
    /// the documentation builds without a warning
    Doc,
    /// bans, licences, sources and advisories of the dependencies
    Deny,
    /// a test fails for every mutant of one test program in eight, others with each commit
    Mutants,
    /// the service under a real systemd, where a container can be booted
    Systemd,
    /// the whole suite
    Test,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut phases = Phases::default();
    for phase in Phase::value_variants().iter().filter(|phase| !options.without.contains(phase)) {
        let name = phase.to_possible_value().expect("no phase is hidden");
        phases.run(name.get_name(), || phase.run());
    }
    eprintln!("\n{}", phases.table());
    phases.verdict()
}

impl Phase {
    fn run(self) -> Result<()> {
        match self {
            Self::Fmt => process::run(&mut cargo(["fmt", "--all", "--check"])),
            Self::Tidy => tidy::run(),
            Self::Clippy => clippy(&["--workspace", "--all-targets", "--all-features"]),
            Self::Alone => alone(),
            Self::Doc => {
                let mut doc = cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
                process::run(doc.env("RUSTDOCFLAGS", "--deny warnings"))
            }
            Self::Deny => deny::run(),
            Self::Mutants => mutants::run(&mutants::Options::of_one_in(MUTANTS)),
            Self::Systemd => test::under_systemd_if_possible(),
            Self::Test => test::run(&test::Options::default()),
        }
    }
}

fn clippy(selection: &[&str]) -> Result<()> {
    process::run(&mut cargo([&["clippy"], selection, &["--", "--deny", "warnings"]].concat()))
}

/// With the whole workspace selected, cargo unites features, so a missing one goes unnoticed.
fn alone() -> Result<()> {
    for each in graph::read()? {
        if let Some(Layer::Kernel | Layer::Domain | Layer::Policy | Layer::Service | Layer::App) = each.layer
        {
            clippy(&["--lib", "--no-default-features", "--package", &each.name])?;
        }
    }
    Ok(())
}
