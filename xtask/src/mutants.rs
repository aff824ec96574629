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
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::phase::Phases;
use crate::{graph, process};
use list::{Mutant, Program};
use workers::in_parallel;
use workspace::Workspace;

/// More workers than this cost more memory and disk than they save time.
const MOST_WORKERS: usize = 4;

#[derive(Args, Default)]
#[command(
    after_help = "Examples:\n  cargo xtask mutants\n  cargo xtask mutants breaker\n  cargo xtask mutants 'window never slides'\n  \
                  cargo xtask mutants --one-in 8"
)]
pub(crate) struct Options {
    /// Only the mutants whose crate or description contains this
    part: Option<String>,
    /// Only those of one test program in so many, others with each commit
    #[arg(long, value_name = "PROGRAMS", value_parser = clap::value_parser!(u32).range(1..))]
    one_in: Option<u32>,
}

impl Options {
    /// What CI has the time for.
    pub(crate) fn of_one_in(programs: u32) -> Self {
        Self { part: None, one_in: Some(programs) }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let part = options.part.as_deref().unwrap_or_default();
    let mut mutants = list::read(&graph::read()?)?;
    mutants.retain(|mutant| mutant.program.package.contains(part) || mutant.breaks.contains(part));
    if mutants.is_empty() {
        bail!("no mutant matches `{part}`");
    }
    let programs: BTreeSet<Program> = mutants.iter().map(|mutant| mutant.program.clone()).collect();
    let programs = match options.one_in {
        Some(share) => share_of(programs, share, commit()?),
        None => Vec::from_iter(programs),
    };
    mutants.retain(|mutant| programs.contains(&mutant.program));
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

/// One program in so many, those whose turn it is; at least one.
fn share_of(programs: BTreeSet<Program>, one_in: u32, turn: u32) -> Vec<Program> {
    let one_in = one_in.min(u32::try_from(programs.len()).unwrap_or(u32::MAX));
    let (step, first) = (one_in as usize, (turn % one_in) as usize);
    programs.into_iter().skip(first).step_by(step).collect()
}

/// A number that is another one with each commit, and the same wherever that is checked out.
fn commit() -> Result<u32> {
    let hash = process::output(Command::new("git").args(["rev-parse", "HEAD"]).current_dir(process::root()))?;
    let start = hash.get(..8).context("git names no commit")?;
    u32::from_str_radix(start, 16).with_context(|| format!("git names a commit {hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_its_turn_and_no_turn_is_empty() {
        let program = |number: u32| Program::named(&format!("ttm-{number}"));
        for (all, one_in) in [(1, 8), (7, 8), (8, 8), (53, 8), (5, 1)] {
            let programs: BTreeSet<Program> = (0..all).map(program).collect();
            let shares: Vec<Vec<Program>> =
                (100..100 + one_in).map(|turn| share_of(programs.clone(), one_in, turn)).collect();
            assert!(shares.iter().all(|share| !share.is_empty()), "{all} {one_in}");
            assert_eq!(shares.into_iter().flatten().collect::<BTreeSet<_>>(), programs);
        }
    }
}
