//! `cargo xtask test`: the whole suite on a fresh machine, in the order build, debug tests, model checkers, release tests.
//!
//! The simulator runs only in release mode: its worth lies in simulated hours per second.

use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use crate::graph::{self, CHECKERS, Crate, Layer};
use crate::phase::Phases;
use crate::process::{self, cargo};
use crate::services::{DATABASE_URL, Postgres};
use crate::systemd::{Container, Obstacle};
use crate::tally::Tally;

/// The one crate that is tested in release mode.
const SIMULATOR: &str = "ttm-sim";
/// To optimise each of its many test programs as a whole takes longer than it saves.
const NO_LTO: &str = "profile.release.lto='off'";
/// The one crate that is not tested: it only measures, and its peers take long to build.
const BENCHMARKS: &str = "ttm-bench";
/// Cargo's arguments for everything else.
const IN_DEBUG_MODE: [&str; 5] = ["--workspace", "--exclude", SIMULATOR, "--exclude", BENCHMARKS];
/// The crate whose program the end-to-end tests drive.
const PROGRAM: &str = "ttm-app";
/// The same program with the faults that the end-to-end tests make, the feature that it needs, and the tests that use it.
const FAULTY_PROGRAM: &str = "ttm-faulty";
const FAULTS: &str = "ttm-app/test-faults";
const TESTS_OF_FAULTS: &str = "healing";
/// Tells the end-to-end tests where the built program `ttm` lies.
const PROGRAM_PATH: &str = "TTM_BIN";

#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "Examples:\n  \
    cargo xtask test\n  \
    cargo xtask test -p ttm-market\n  \
    cargo xtask test --systemd\n  \
    cargo xtask test -p ttm-market -- golden --nocapture")]
pub(crate) struct Options {
    /// Tests only this package (may be repeated)
    #[arg(short, long = "package", value_name = "PACKAGE")]
    packages: Vec<String>,
    /// Tests the service under a real systemd instead, in containers; needs root
    #[arg(long, conflicts_with = "packages")]
    systemd: bool,
    /// Arguments for the test programs: a name to filter by, --nocapture, --test-threads=1, …
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.systemd {
        let container = Container::prepare()?;
        return under_systemd(
            &container.map_err(|Obstacle(why)| anyhow!("not tested under systemd: {why}"))?,
            options,
        );
    }
    let plan = Plan::new(options, &graph::read()?)?;
    let mut phases = Phases::default();
    let mut tally = Tally::default();

    let mut postgres = None;
    let mut start = || Postgres::start().map(|started| postgres = Some(started));
    if plan.postgres && !phases.run("start PostgreSQL", &mut start) {
        return phases.verdict();
    }

    if !plan.debug.is_empty() {
        // `--all-targets` has cargo resolve features as it does for the tests, so nothing is compiled twice.
        let build = [&["build", "--all-targets"][..], &as_strs(&plan.build)].concat();
        if !phases.run("build", || process::run(&mut cargo(build))) {
            return phases.verdict();
        }
        // With a test, so that cargo resolves all other features as above.
        let faulty = ["build", "--features", FAULTS, "--bin", FAULTY_PROGRAM, "--test", TESTS_OF_FAULTS];
        let build = || process::run(&mut cargo([&faulty[..], &as_strs(&plan.build)].concat()));
        if plan.program && !phases.run("build the program with faults", build) {
            return phases.verdict();
        }
        let words = [&["test", "--no-fail-fast"][..], &as_strs(&plan.debug)].concat();
        phases.run("test", || run_tests(words, options, postgres.as_ref(), None, &mut tally));
    }
    for (checker, package) in &plan.checked {
        let words = vec!["test", "--release", "--config", NO_LTO, "--package", package, "--test", checker];
        phases.run(&format!("check {package} with {checker}"), || {
            let flags = CheckerBuild::new(checker)?;
            run_tests(words, options, None, Some(&flags), &mut tally)
        });
    }
    if plan.simulator {
        let words = vec!["test", "--no-fail-fast", "--release", "--config", NO_LTO, "--package", SIMULATOR];
        phases.run("test the simulator (release)", || {
            run_tests(words, options, postgres.as_ref(), None, &mut tally)
        });
    }
    drop(postgres);

    eprintln!("\n{}", phases.table());
    println!("{tally}");
    phases.verdict()?;
    if tally.is_empty() {
        bail!("no test matched");
    }
    if tally.ignored > 0 {
        bail!("{} tests are ignored; every test runs or is deleted", tally.ignored);
    }
    Ok(())
}

/// The same where no container can be booted: says so in a line, and is content.
pub(crate) fn under_systemd_if_possible() -> Result<()> {
    match Container::prepare()? {
        Ok(container) => under_systemd(&container, &Options::default()),
        Err(Obstacle(why)) => {
            eprintln!("not tested under systemd: {why}");
            Ok(())
        }
    }
}

fn under_systemd(container: &Container, options: &Options) -> Result<()> {
    // The selection of the other tests, so that cargo resolves features as for them and nothing is compiled twice.
    let target = ["--features", "ttm-e2e/systemd", "--test", "systemd"];
    process::run(&mut cargo([&["build"], &IN_DEBUG_MODE[..], &target, &["--bin", "ttm"]].concat()))?;
    let mut command = cargo([&["test"], &IN_DEBUG_MODE[..], &target].concat());
    // One after another: each boots a container of its own.
    command.args(["--", "--test-threads=1"]).args(&options.arguments);
    container.lend(&mut command);
    let line = process::shown(&command);
    eprintln!("$ {line}");
    let mut tally = Tally::default();
    sum_output(&mut command, &mut tally).with_context(|| format!("`{line}`"))?;
    println!("{tally}");
    Ok(())
}

/// What a selection of packages needs.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// Cargo's arguments for what is built; more than what is tested when the end-to-end tests need the program.
    build: Vec<String>,
    /// Cargo's arguments for what is tested in debug mode; empty when nothing is.
    debug: Vec<String>,
    simulator: bool,
    postgres: bool,
    /// Whether the end-to-end tests are among it.
    program: bool,
    /// Model checkers, each with the package that it checks.
    checked: Vec<(&'static str, String)>,
}

/// A separate build, in which a model checker replaces the standard library's atomics.
struct CheckerBuild {
    flags: String,
    folder: PathBuf,
}

impl CheckerBuild {
    fn new(checker: &str) -> Result<Self> {
        Ok(Self { flags: format!("--cfg {checker}"), folder: graph::target_folder()?.join(checker) })
    }
}

/// The model checkers of a crate.
fn checkers(each: &Crate) -> impl Iterator<Item = (&'static str, String)> {
    CHECKERS
        .into_iter()
        .filter(|checker| each.dependencies.iter().any(|edge| edge.to == *checker && edge.is_checker()))
        .map(|checker| (checker, each.name.clone()))
}

impl Plan {
    fn new(options: &Options, crates: &[Crate]) -> Result<Self> {
        if options.packages.is_empty() {
            let all = Vec::from(IN_DEBUG_MODE.map(str::to_owned));
            let checked = crates.iter().flat_map(checkers).collect();
            return Ok(Self {
                build: all.clone(),
                debug: all,
                simulator: true,
                postgres: true,
                program: true,
                checked,
            });
        }
        let (build, debug, checked) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Self { build, debug, simulator: false, postgres: false, program: false, checked };
        for package in &options.packages {
            let Some(chosen) = crates.iter().find(|each| each.name == *package) else {
                let names: Vec<&str> = crates.iter().map(|each| &*each.name).collect();
                bail!("no package `{package}`; there are: {}", names.join(", "));
            };
            if package == BENCHMARKS {
                bail!("`{BENCHMARKS}` has no tests; `cargo xtask bench` runs it");
            }
            if package == SIMULATOR {
                plan.simulator = true;
            } else {
                plan.debug.extend(["--package".to_owned(), package.clone()]);
            }
            plan.checked.extend(checkers(chosen));
            plan.postgres |= chosen.layer.is_none_or(Layer::does_io);
            plan.program |= chosen.layer == Some(Layer::E2e);
        }
        plan.build.clone_from(&plan.debug);
        if plan.program {
            plan.build.extend(["--package".to_owned(), PROGRAM.to_owned()]);
        }
        Ok(plan)
    }
}

fn as_strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Runs cargo with its standard output passed through, and adds up the closing lines in it.
fn run_tests(
    words: Vec<&str>,
    options: &Options,
    postgres: Option<&Postgres>,
    checker: Option<&CheckerBuild>,
    tally: &mut Tally,
) -> Result<()> {
    let mut command = cargo(words);
    if !options.arguments.is_empty() {
        command.arg("--").args(&options.arguments);
    }
    if let Some(postgres) = postgres {
        command.env(DATABASE_URL, postgres.url());
    }
    if let Some(CheckerBuild { flags, folder }) = checker {
        command.env("RUSTFLAGS", flags).env("CARGO_TARGET_DIR", folder);
    }
    command.env(PROGRAM_PATH, program()?);
    let line = process::shown(&command);
    eprintln!("$ {line}");
    sum_output(&mut command, tally).with_context(|| format!("`{line}`"))
}

fn sum_output(command: &mut Command, tally: &mut Tally) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut output = BufReader::new(child.stdout.take().expect("standard output is piped"));
    let mut line = Vec::new();
    // Bytes, not text: what a test prints need not be UTF-8.
    while output.read_until(b'\n', &mut line)? > 0 {
        io::stdout().write_all(&line)?;
        if let Some(result) = Tally::from_line(&String::from_utf8_lossy(&line)) {
            *tally += result;
        }
        line.clear();
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("failed ({status})");
    }
    Ok(())
}

/// Where cargo puts the program `ttm`.
fn program() -> Result<PathBuf> {
    let folder = graph::target_folder()?;
    Ok(folder.join("debug").join("ttm").with_extension(std::env::consts::EXE_EXTENSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(packages: &[&str]) -> Result<Plan> {
        let crates = [
            ("ttm-app", Layer::App),
            ("ttm-e2e", Layer::E2e),
            ("ttm-market", Layer::Domain),
            (SIMULATOR, Layer::Sim),
            (BENCHMARKS, Layer::Bench),
        ]
        .map(|(name, layer)| Crate::new(name, layer));
        let packages = packages.iter().map(|&name| name.to_owned()).collect();
        Plan::new(&Options { packages, ..Options::default() }, &crates)
    }

    #[test]
    fn everything_but_the_benchmarks_is_the_default_and_the_simulator_runs_only_in_release() {
        let plan = plan(&[]).expect("no package is named");
        assert_eq!(plan.debug, ["--workspace", "--exclude", SIMULATOR, "--exclude", BENCHMARKS]);
        assert_eq!(plan.build, plan.debug);
        assert!(plan.simulator && plan.postgres);
    }

    #[test]
    fn a_pure_crate_needs_no_database() {
        let plan = plan(&["ttm-market"]).expect("the package exists");
        assert_eq!(plan.debug, ["--package", "ttm-market"]);
        assert!(!plan.postgres && !plan.simulator);
    }

    #[test]
    fn the_simulator_by_itself_builds_nothing_in_debug() {
        let plan = plan(&[SIMULATOR]).expect("the package exists");
        assert!(plan.debug.is_empty() && plan.simulator && !plan.postgres);
    }

    #[test]
    fn the_benchmarks_are_no_tests() {
        let error = plan(&[BENCHMARKS]).expect_err("they measure");
        assert_eq!(error.to_string(), "`ttm-bench` has no tests; `cargo xtask bench` runs it");
    }

    #[test]
    fn the_end_to_end_tests_get_their_program_and_their_database() {
        let plan = plan(&["ttm-e2e"]).expect("the package exists");
        assert_eq!(plan.build, ["--package", "ttm-e2e", "--package", "ttm-app"]);
        assert!(plan.postgres);
    }

    #[test]
    fn a_crate_that_a_model_checker_checks_is_checked_too() {
        let mut checked =
            Crate::new("ttm-market", Layer::Domain).using("shuttle", cargo_metadata::DependencyKind::Normal);
        checked.last().target = Some("cfg(shuttle)".to_owned());
        let options = Options { packages: vec!["ttm-market".to_owned()], ..Options::default() };
        let plan = Plan::new(&options, &[checked]).expect("the package exists");
        assert_eq!(plan.checked, [("shuttle", "ttm-market".to_owned())]);
    }

    #[test]
    fn an_unknown_package_is_refused_with_the_known_ones() {
        let error = plan(&["ttm-moon"]).expect_err("there is no such package");
        assert!(error.to_string().starts_with("no package `ttm-moon`; there are: ttm-app, "), "{error}");
    }
}
