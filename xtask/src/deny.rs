//! cargo-deny over the dependencies, by the rules of `deny.toml`; installed under `target/tools` where it is missing.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process::{self, cargo};
use crate::tidy::graph;

const NAME: &str = "cargo-deny";
/// The version that is installed where there is none: a newer one with more checks must not break an old commit.
const VERSION: &str = "0.20.2";

pub(crate) fn run() -> Result<()> {
    let program = find_or_install()?;
    let deny = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.args(words).current_dir(process::root());
        command
    };
    process::run(&mut deny(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    // The advisories live in a repository on the network, which not every machine reaches.
    if process::output(&mut deny(&["fetch", "db"])).is_err() {
        eprintln!("advisories: not checked, their database cannot be fetched from here");
        return Ok(());
    }
    process::run(&mut deny(&["check", "--disable-fetch", "advisories"]))
}

fn find_or_install() -> Result<PathBuf> {
    if process::folder_on_path(NAME).is_some() {
        return Ok(NAME.into());
    }
    let target = graph::target_folder()?;
    let tools = target.join("tools");
    let program = tools.join("bin").join(NAME);
    if !program.is_file() {
        eprintln!("{NAME} is missing: building {VERSION} into {}", tools.display());
        let mut install = cargo(["install", NAME, "--locked", "--version", VERSION, "--root"]);
        process::run(install.arg(&tools))?;
    }
    Ok(program)
}
