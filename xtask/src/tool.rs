//! Programs of others that checks are made with, installed under `target/tools` where they are missing.

use std::path::PathBuf;

use anyhow::Result;

use crate::graph;
use crate::process::{self, cargo};

/// A program that cargo can install.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// The version that is installed where there is none: a newer one with more checks must not break an old commit.
    pub(crate) version: &'static str,
}

impl Tool {
    pub(crate) fn find_or_install(&self) -> Result<PathBuf> {
        let Self { name, version } = *self;
        if process::folder_on_path(name).is_some() {
            return Ok(name.into());
        }
        let tools = graph::target_folder()?.join("tools");
        let program = tools.join("bin").join(name);
        if !program.is_file() {
            eprintln!("{name} is missing: building {version} into {}", tools.display());
            let mut install = cargo(["install", name, "--locked", "--version", version, "--root"]);
            process::run(install.arg(&tools))?;
        }
        Ok(program)
    }
}
