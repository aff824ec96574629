//! `cargo xtask mutants`: breaks the code on purpose, one rule at a time, and wants a named test to notice.
//!
//! A crate lists its mutants in `tests/mutants.toml`. Each is built in a copy of the workspace under `target/`, so that no
//! source is ever changed. It knows nothing of what the rules mean.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process_group};
use wait_timeout::ChildExt;

use crate::phase::Phases;
use crate::process;
use crate::tidy::graph::{self, CHECKERS};

/// Where a crate lists its mutants.
const LIST: &str = "tests/mutants.toml";
/// A broken loop may never end.
const LONGEST: Duration = Duration::from_mins(2);

#[derive(Args, Default)]
#[command(
    after_help = "Examples:\n  cargo xtask mutants\n  cargo xtask mutants breaker\n  cargo xtask mutants 'window never slides'"
)]
pub(crate) struct Options {
    /// Only the mutants whose crate or description contains this
    part: Option<String>,
}

/// One way to break a crate.
#[derive(Debug, PartialEq, Eq)]
struct Mutant {
    package: String,
    /// The crate's folder, relative to the root.
    folder: String,
    /// What is broken.
    breaks: String,
    /// The file, relative to the crate's folder.
    file: String,
    find: String,
    replace: String,
    /// The test program that must notice: `lib`, or the name of one in `tests/`.
    noticed_by: String,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let part = options.part.as_deref().unwrap_or_default();
    let mut mutants = Vec::new();
    for each in graph::read()? {
        let list = process::root().join(&each.folder).join(LIST);
        if list.is_file() {
            let text = fs::read_to_string(&list)?;
            mutants
                .extend(parse(&each.name, &each.folder, &text).with_context(|| list.display().to_string())?);
        }
    }
    mutants.retain(|mutant| mutant.package.contains(part) || mutant.breaks.contains(part));
    if mutants.is_empty() {
        bail!("no mutant matches `{part}`");
    }
    let folder = graph::target_folder()?.join("mutants");
    let workspace = Workspace::copy_to(folder)?;
    let mut phases = Phases::default();
    // A test that fails anyway notices nothing.
    let programs: BTreeSet<(&str, &str)> =
        mutants.iter().map(|mutant| (&*mutant.package, &*mutant.noticed_by)).collect();
    for (package, program) in programs {
        let whole = || workspace.whole(package, program);
        if !phases.run(&format!("{package}: {program}, unbroken"), whole) {
            return phases.verdict();
        }
    }
    for mutant in &mutants {
        phases.run(&format!("{}: {}", mutant.package, mutant.breaks), || workspace.check(mutant));
    }
    eprintln!("\n{}", phases.table());
    phases.verdict()
}

fn parse(package: &str, folder: &str, text: &str) -> Result<Vec<Mutant>> {
    let table: toml::Table = text.parse()?;
    let list = table.get("mutant").and_then(toml::Value::as_array).context("there is no [[mutant]]")?;
    list.iter()
        .map(|mutant| {
            let field = |name: &str| {
                let value = mutant.get(name).and_then(toml::Value::as_str);
                value.map(str::to_owned).with_context(|| format!("a mutant has no `{name}`: {mutant:?}"))
            };
            Ok(Mutant {
                package: package.to_owned(),
                folder: folder.to_owned(),
                breaks: field("breaks")?,
                file: field("file")?,
                find: field("find")?,
                replace: field("replace")?,
                noticed_by: field("noticed_by")?,
            })
        })
        .collect()
}

/// A copy of the workspace that may be broken.
struct Workspace {
    root: PathBuf,
    artefacts: PathBuf,
}

impl Workspace {
    /// Copies every file that belongs to the project.
    fn copy_to(folder: PathBuf) -> Result<Self> {
        let root = folder.join("workspace");
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        let mut list = Command::new("git");
        list.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(process::root());
        for file in process::output(&mut list)?.lines().map(Path::new) {
            let from = process::root().join(file);
            if from.is_file() {
                let to = root.join(file);
                fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
                fs::copy(&from, &to).with_context(|| format!("cannot copy {}", file.display()))?;
            }
        }
        Ok(Self { root, artefacts: folder })
    }

    /// Breaks one file, builds, wants the tests to fail, and mends the file again.
    fn check(&self, mutant: &Mutant) -> Result<()> {
        let file = self.root.join(&mutant.folder).join(&mutant.file);
        let whole = fs::read_to_string(&file).with_context(|| format!("cannot read {}", mutant.file))?;
        fs::write(&file, broken(&whole, mutant)?)?;
        let verdict = self.judge(mutant);
        fs::write(&file, whole)?;
        verdict
    }

    fn whole(&self, package: &str, program: &str) -> Result<()> {
        process::run(self.test(package, program, &["--quiet"]).stdout(Stdio::null()))
    }

    fn judge(&self, mutant: &Mutant) -> Result<()> {
        let Mutant { package, noticed_by, .. } = mutant;
        process::run(self.test(package, noticed_by, &["--no-run", "--quiet"]).stderr(Stdio::null()))
            .context("the mutant does not compile")?;
        let mut tests = self.test(package, noticed_by, &["--quiet"]);
        eprintln!("$ {}", process::shown(&tests));
        // What it prints of its failures is what was asked for. A group of its own, so that all of it can be ended.
        let mut running = tests.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()?;
        let Some(status) = running.wait_timeout(LONGEST)? else {
            if let Some(group) = Pid::from_raw(i32::try_from(running.id())?) {
                kill_process_group(group, Signal::KILL)?;
            }
            running.wait()?;
            eprintln!("ended after {} s, which is to notice too", LONGEST.as_secs());
            return Ok(());
        };
        if status.success() {
            bail!("{noticed_by} did not notice");
        }
        Ok(())
    }

    /// One test program of a package, with more words for cargo.
    fn test(&self, package: &str, program: &str, words: &[&str]) -> Command {
        let mut command = process::cargo(["test", "--package", package]);
        command.current_dir(&self.root).args(words);
        match program {
            "lib" => command.arg("--lib"),
            program => command.args(["--test", program]),
        };
        let checker = CHECKERS.into_iter().find(|checker| *checker == program);
        command.env("CARGO_TARGET_DIR", self.artefacts.join(checker.unwrap_or("plain")));
        if let Some(checker) = checker {
            command.arg("--release").env("RUSTFLAGS", format!("--cfg {checker}"));
        }
        command.env("RUST_BACKTRACE", "0");
        command
    }
}

/// The file with the one place replaced.
fn broken(whole: &str, mutant: &Mutant) -> Result<String> {
    match whole.matches(&mutant.find).count() {
        1 => Ok(whole.replace(&mutant.find, &mutant.replace)),
        places => bail!("{} holds {:?} {places} times, expected once", mutant.file, mutant.find),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = r#"
        [[mutant]]
        breaks = "the bound"
        file = "src/a.rs"
        find = "a < b"
        replace = "a <= b"
        noticed_by = "laws"
    "#;

    #[test]
    fn a_mutant_is_read_with_all_that_it_needs() -> Result<()> {
        let mutants = parse("ttm-a", "crates/a", LISTED)?;
        assert_eq!((&*mutants[0].breaks, &*mutants[0].noticed_by), ("the bound", "laws"));
        let error = parse("ttm-a", "crates/a", "[[mutant]]\nbreaks = \"x\"\n").expect_err("no file");
        assert!(error.to_string().starts_with("a mutant has no `file`"), "{error}");
        Ok(())
    }

    #[test]
    fn a_mutant_breaks_exactly_one_place() -> Result<()> {
        let mutant = parse("ttm-a", "crates/a", LISTED)?.remove(0);
        assert_eq!(broken("if a < b {}", &mutant)?, "if a <= b {}");
        for wrong in ["if a > b {}", "a < b && a < b"] {
            broken(wrong, &mutant).expect_err("not one place");
        }
        Ok(())
    }
}
