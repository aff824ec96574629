//! `cargo xtask tidy`: the project's rules that neither the compiler nor clippy checks.
//!
//! Every check is a pure function from text or from the graph to a list of problems, so each is tested on bad input. The
//! whole of it also runs as a test of this crate, but for the search for unused dependencies, which is another program's.

mod layers;
mod manifest;
mod modules;
mod problem;
mod reach;
mod source;
mod unused;
mod words;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::mutants::list;
use crate::{graph, process};
use problem::placed;

pub(crate) fn run() -> Result<()> {
    let problems = problems()?;
    for problem in &problems {
        println!("{problem}");
    }
    let used = unused::check();
    match problems.len() {
        0 => used,
        1 => bail!("tidy found 1 problem"),
        count => bail!("tidy found {count} problems"),
    }
}

/// Every problem of the workspace, one line each, with its place and its reason.
fn problems() -> Result<Vec<String>> {
    let crates = graph::read()?;
    let mut problems = layers::check(&crates);
    problems.extend(list::misplaced(&list::read(&crates)?, read));
    problems.extend(reach::problems(&crates)?);
    problems.extend(modules::check(&crates, &|path| read(path).ok())?);
    for each in &crates {
        let path = Path::new(&each.folder).join("Cargo.toml");
        problems.extend(placed(&path, manifest::check(&read(&path)?)));
    }
    for path in files()? {
        // Files that are not text are not checked.
        let Ok(text) = fs::read_to_string(process::root().join(&path)) else { continue };
        let path = Path::new(&path);
        problems.extend(placed(path, words::check(path, &text)));
        if path.extension().is_some_and(|extension| extension == "rs") {
            problems.extend(placed(path, source::check(path, &text)));
        }
    }
    Ok(problems)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(process::root().join(path)).with_context(|| format!("cannot read {}", path.display()))
}

/// The files of the repository, and those that are about to join it: what git tracks or does not ignore.
fn files() -> Result<Vec<String>> {
    let mut git = Command::new("git");
    // The tree may belong to another user than the one who checks it, as it does in containers.
    git.args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = process::output(git.current_dir(process::root()))?;
    let mut files: Vec<String> =
        list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    files.retain(|path| process::root().join(path).is_file());
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() -> Result<()> {
        let problems = problems()?;
        assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
        Ok(())
    }
}
