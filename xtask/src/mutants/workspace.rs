//! A copy of the workspace that may be broken: how a test program in it is built, and whether it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;

use super::list::{Mutant, Program};
use super::run::{self, Outcome};
use crate::process;

/// Settings of cargo with which one crate and its link are built again quickly. Nobody debugs a mutant, and a program that
/// ends with its first failing test runs too briefly to be worth optimising further.
const QUICK: [(&str, &str); 5] = [
    ("CARGO_INCREMENTAL", "1"),
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

pub(super) struct Workspace {
    root: PathBuf,
    artefacts: PathBuf,
}

impl Workspace {
    /// Copies every file that belongs to the project.
    pub(super) fn copy_to(folder: &Path) -> Result<Self> {
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
        Ok(Self { root, artefacts: folder.join("target") })
    }

    /// Copies this one with all that was built in it.
    pub(super) fn duplicate(&self, folder: &Path) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let own = self.root.parent().context("a workspace lies in a folder")?;
        // With the times of the files, by which cargo tells what is up to date.
        process::output(Command::new("cp").arg("--archive").arg(own).arg(folder))?;
        Ok(Self { root: folder.join("workspace"), artefacts: folder.join("target") })
    }

    /// Builds a test program, and says where it lies.
    pub(super) fn build(&self, program: &Program) -> Result<PathBuf> {
        let mut command = self.test(program);
        let output = command.output()?;
        if !output.status.success() {
            bail!(
                "`{}` failed:\n{}",
                process::shown(&command),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        for message in Message::parse_stream(&*output.stdout) {
            if let Message::CompilerArtifact(artefact) = message?
                && artefact.profile.test
                && let Some(executable) = artefact.executable
            {
                return Ok(executable.into_std_path_buf());
            }
        }
        bail!("`{}` built no test program", process::shown(&command))
    }

    /// Breaks one file, expects the tests to fail, and restores the file.
    pub(super) fn check(&self, mutant: &Mutant) -> Result<()> {
        let file = self.folder(&mutant.program).join(&mutant.file);
        let whole = fs::read_to_string(&file).with_context(|| format!("cannot read {}", mutant.file))?;
        fs::write(&file, mutant.broken(&whole)?)?;
        let verdict = self.judge(&mutant.program);
        fs::write(&file, whole)?;
        match verdict? {
            Outcome::Passed => bail!("{} still passes", mutant.program.name),
            // An endless loop is a failure, too.
            Outcome::Failed | Outcome::Endless => Ok(()),
        }
    }

    /// Expects the tests to pass.
    pub(super) fn passes(&self, program: &Program) -> Result<()> {
        match self.judge(program)? {
            Outcome::Passed => Ok(()),
            Outcome::Failed => bail!("fails without a mutant"),
            Outcome::Endless => bail!("takes too long without a mutant"),
        }
    }

    fn judge(&self, program: &Program) -> Result<Outcome> {
        let executable = self.build(program)?;
        let folder = self.folder(program);
        let mut tests = Command::new(executable);
        tests.current_dir(&folder).env("CARGO_MANIFEST_DIR", &folder);
        // Many tests at once, so that the quick ones need not wait for slow or endless ones.
        tests.env("RUST_TEST_THREADS", "32");
        // Nobody looks at a failure, so it need not be made smaller.
        tests.env("PROPTEST_MAX_SHRINK_ITERS", "0").env("RUST_BACKTRACE", "0");
        run::run(&mut tests)
    }

    fn folder(&self, program: &Program) -> PathBuf {
        self.root.join(&program.folder)
    }

    /// The command that builds one test program.
    fn test(&self, program: &Program) -> Command {
        let mut command = process::cargo(["test", "--no-run", "--message-format=json-render-diagnostics"]);
        command.current_dir(&self.root).args(["--package", &program.package]);
        match &*program.name {
            "lib" => command.arg("--lib"),
            name => command.args(["--test", name]),
        };
        let checker = program.checker();
        command.env("CARGO_TARGET_DIR", self.artefacts.join(checker.unwrap_or("plain")));
        if let Some(checker) = checker {
            command.arg("--release").env("RUSTFLAGS", format!("--cfg {checker}"));
        }
        command.envs(QUICK);
        command
    }
}
