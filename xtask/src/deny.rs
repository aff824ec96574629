//! cargo-deny over the dependencies, by the rules of `deny.toml`.

use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::tool::Tool;

const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

pub(crate) fn run() -> Result<()> {
    let program = CARGO_DENY.find_or_install()?;
    let deny = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.args(words).current_dir(process::root());
        command
    };
    process::run(&mut deny(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    // The advisories live in a repository on the network, which not every machine reaches.
    if process::output(&mut deny(&["fetch", "db"])).is_err() {
        eprintln!("advisories were not checked: their database cannot be fetched");
        return Ok(());
    }
    process::run(&mut deny(&["check", "--disable-fetch", "advisories"]))
}
