//! Reads what a command goes by: the file and the environment.

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

/// Who types the command, as far as the environment says.
#[expect(clippy::disallowed_methods, reason = "one of the two places that read the environment")]
pub(super) fn user() -> Option<String> {
    ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
}

#[expect(clippy::disallowed_methods, reason = "one of the two places that read the environment")]
pub(super) fn draft(file: Option<&Path>) -> Draft {
    Draft::read(file, std::env::vars_os())
}
