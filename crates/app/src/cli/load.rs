//! Reads the configuration of a command: the file and the environment.

use std::path::Path;

use super::failure::Failure;
use crate::config::{Draft, Settings};

/// What a command that needs a store is told by the config, with all that is wrong with it.
pub(super) fn load(file: Option<&Path>) -> Result<Settings, Failure> {
    Ok(crate::compose::check_urls(draft(file))?)
}

#[expect(clippy::disallowed_methods, reason = "the environment is read here, once, and handed on")]
pub(super) fn draft(file: Option<&Path>) -> Draft {
    Draft::read(file, std::env::vars_os())
}
