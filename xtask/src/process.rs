//! Other programs and the workspace they run in: cargo, where the root is, what the caller's environment says.
//!
//! Knows nothing of what is run or why.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result, bail};

/// The root folder of the workspace that the caller works in. Where this program was built does not matter: two checkouts
/// may share a target folder.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        located().unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            std::process::exit(1)
        })
    });
    &ROOT
}

fn located() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["locate-project", "--workspace", "--message-format", "plain"]);
    let manifest = output(&mut cargo).context("run this inside a checkout")?;
    let folder = Path::new(&manifest).parent().context("cargo names no manifest")?;
    Ok(folder.to_path_buf())
}

/// `cargo ARGUMENTS`, in the root folder.
///
/// Never set `RUSTFLAGS` on it: they are part of every artefact's fingerprint, and phases that differ in them share
/// nothing.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command to its end with our output; an error names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs a command to its end and returns what it wrote to standard output, trimmed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.output().with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(std::ffi::OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// A variable of the caller's environment; an empty one counts as absent.
#[expect(clippy::disallowed_methods, reason = "a tool's interface includes its environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder on `PATH` that holds `program`, links followed: its sibling programs are found beside it.
pub(crate) fn folder_on_path(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    let file = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())?;
    Some(file.canonicalize().ok()?.parent()?.to_path_buf())
}
