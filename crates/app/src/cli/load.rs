//! Reads the configuration of a command: the file and the environment.

use std::path::Path;

use super::failure::Failure;
use crate::config::{Draft, Settings};

/// The settings for a command that needs a store, or all errors.
pub(super) fn load(file: Option<&Path>) -> Result<Settings, Failure> {
    Ok(crate::compose::check_urls(draft(file))?)
}

#[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
pub(super) fn draft(file: Option<&Path>) -> Draft {
    Draft::read(file, std::env::vars_os())
}
