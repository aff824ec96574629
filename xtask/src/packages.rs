//! The system's package manager, which installs what is missing where this may.

use std::process::Command;

use anyhow::Result;

use crate::process;

/// Whether it may be used: by root, on a system that has it.
pub(crate) fn may_install() -> bool {
    rustix::process::geteuid().is_root() && process::folder_on_path("apt-get").is_some()
}

/// Installs a package.
pub(crate) fn install(package: &str) -> Result<()> {
    eprintln!("{package} is missing: installing it with apt-get");
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        process::run(command.args(words).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "--quiet"])?;
    apt(&["install", "--quiet", "--yes", "--no-install-recommends", package])
}
