//! `cargo xtask mutants`: breaks the code on purpose, one rule at a time, and expects a named test program to fail.
//!
//! A crate lists its mutants in `tests/mutants.toml`. Each is built in a copy of the workspace under `target/`, so the
//! sources themselves never change. A few workers, each with a copy of its own, share the mutants: most of a build is one
//! crate and one link, which occupy a single core. Results are printed in the order of the lists.
//! It knows nothing of what the rules mean.

pub(crate) mod list;
mod run;
mod workers;
mod workspace;

use std::collections::BTreeSet;
use std::thread;

use anyhow::{Result, bail};
use clap::Args;

use crate::graph;
use crate::phase::Phases;
use list::{Mutant, Program};
use workers::in_parallel;
use workspace::Workspace;

/// More workers than this cost more memory and disk than they save time.
const MOST_WORKERS: usize = 4;

#[derive(Args, Default)]
#[command(
    after_help = "Examples:\n  cargo xtask mutants\n  cargo xtask mutants breaker\n  cargo xtask mutants 'window never slides'"
)]
pub(crate) struct Options {
    /// Only the mutants whose crate or description contains this
    part: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let part = options.part.as_deref().unwrap_or_default();
    let mut mutants = list::read(&graph::read()?)?;
    mutants.retain(|mutant| mutant.program.package.contains(part) || mutant.breaks.contains(part));
    if mutants.is_empty() {
        bail!("no mutant matches `{part}`");
    }
    let programs: BTreeSet<Program> = mutants.iter().map(|mutant| mutant.program.clone()).collect();
    let programs = Vec::from_iter(programs);
    let folder = graph::target_folder()?.join("mutants");
    let first = Workspace::copy_to(&folder.join("0"))?;
    let mut phases = Phases::default();
    // One after the other: cargo uses every core for the dependencies.
    for program in &programs {
        if !phases.run(&format!("build {program}"), || first.build(program).map(drop)) {
            return phases.verdict();
        }
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut workers = vec![first];
    for number in 1..cores.min(MOST_WORKERS).min(mutants.len()) {
        workers.push(workers[0].duplicate(&folder.join(number.to_string()))?);
    }
    // A program that fails without a mutant proves nothing.
    in_parallel(&workers, &programs, &mut phases, Program::to_string, Workspace::passes);
    if phases.verdict().is_ok() {
        in_parallel(&workers, &mutants, &mut phases, Mutant::to_string, Workspace::check);
    }
    eprintln!("\n{}", phases.table());
    phases.verdict()
}
