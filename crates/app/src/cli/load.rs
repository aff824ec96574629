//! Reads the configuration of a command: the file and the environment.

use std::path::Path;

use ttm_health::Commands;

use super::failure::Failure;
use super::quote::quoted_path;
use crate::config::{Draft, Settings};

/// The settings for a command that needs a store, or all errors.
pub(super) fn load(file: Option<&Path>) -> Result<Settings, Failure> {
    let mut settings = crate::compose::check_urls(draft(file))?;
    if let Some(file) = file {
        // Whoever reads a command may be in another folder.
        let path = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
        settings.service.commands = Commands::with_config(&quoted_path(&path));
    }
    Ok(settings)
}

#[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
pub(super) fn draft(file: Option<&Path>) -> Draft {
    Draft::read(file, std::env::vars_os())
}
