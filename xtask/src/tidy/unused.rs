//! Dependencies that no code uses, in any crate's manifest or in the workspace's, as cargo-shear finds them.
//!
//! It parses the sources. cargo-machete searches them for the dependency's name instead, and so takes a name in a comment
//! for a use, and it does not look at the workspace's own table.

use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::tool::Tool;

const CARGO_SHEAR: Tool = Tool { name: "cargo-shear", version: "1.13.2" };

pub(super) fn check() -> Result<()> {
    let program = CARGO_SHEAR.find_or_install()?;
    process::run(Command::new(program).arg("--deny-warnings").current_dir(process::root()))
}
