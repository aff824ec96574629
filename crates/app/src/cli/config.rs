//! `ttm config`: checks, prints and explains the configuration.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::failure::Failure;
use super::load::draft;
use super::output::{self, layout, row, say, wrapped};
use crate::config::{KEYS, Key, Kind, unknown_key};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check the config file and the environment, and report all errors at once
    #[command(after_help = "Example:\n  ttm config check ttm.toml")]
    Check {
        /// The config file, as with --config
        file: Option<PathBuf>,
    },
    /// Print a config file with every key at its default
    #[command(after_help = "Example:\n  ttm config default > ttm.toml")]
    Default,
    /// Explain one key, and what must restart for a change of it to take effect
    #[command(after_help = "Example:\n  ttm config explain scheduler.hot_interval")]
    Explain {
        /// The full name of the key, or its environment variable
        key: String,
    },
    /// List every key with its kind, default, what must restart for a change, and environment variable
    #[command(after_help = "Example:\n  ttm config schema | grep process")]
    Schema,
}

pub(super) fn execute(command: &ConfigCommand, file: Option<&Path>) -> Result<ExitCode, Failure> {
    match command {
        ConfigCommand::Check { file: Some(other) } if file.is_some_and(|file| file != other.as_path()) => {
            return Err(Failure::Arguments(
                "two different config files: give one as FILE or with --config".to_owned(),
            ));
        }
        ConfigCommand::Check { file: named } => {
            let file = named.as_deref().or(file);
            crate::compose::check(draft(file))?;
            match file {
                Some(path) => say!("{}: valid", path.display())?,
                None => say!("the defaults and the environment: valid")?,
            }
        }
        ConfigCommand::Default => output::print(format_args!("{}", default_file()))?,
        ConfigCommand::Explain { key } => match Key::find(key).or_else(|| Key::of_variable(key)) {
            Some(key) => explain(key)?,
            None => return Err(Failure::Arguments(unknown_key(key))),
        },
        ConfigCommand::Schema => schema()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(key: &Key) -> Result<(), Failure> {
    say!("{}", key.name)?;
    wrapped("  ", key.doc)?;
    say!("")?;
    wrapped("  expects   ", key.kind.expected())?;
    wrapped("  default   ", if key.default.is_empty() { "not set" } else { key.default })?;
    wrapped("  variable  ", &key.variable())?;
    wrapped("  restart   ", &key.restart.explained())?;
    Ok(())
}

fn schema() -> Result<(), Failure> {
    let width = |length: fn(&Key) -> usize| KEYS.iter().map(length).max().unwrap_or(0);
    let (names, defaults) = (width(|key| key.name.len()), width(|key| key.default.len()));
    row(format_args!("{:names$}  {:8}  {:defaults$}  RESTART  VARIABLE", "KEY", "KIND", "DEFAULT"))?;
    for key in KEYS {
        let Key { name, kind, default, restart, .. } = key;
        let (kind, variable) = (kind.name(), key.variable());
        row(format_args!("{name:names$}  {kind:8}  {default:defaults$}  {restart:7}  {variable}"))?;
    }
    Ok(())
}

/// The width of comments: that of a common terminal.
const WIDTH: usize = 80;

fn default_file() -> String {
    let mut text = String::from("# Every key with its default. Delete what you do not change.\n");
    let mut section = "";
    for key in KEYS {
        let (of, name) = key.split();
        if of != section {
            section = of;
            text.extend(["\n[", section, "]\n"]);
        }
        let quote = if matches!(key.kind, Kind::Duration(..) | Kind::Text(_)) { "\"" } else { "" };
        let unset = if key.default.is_empty() { "# " } else { "" };
        let comment = textwrap::fill(key.doc, layout(WIDTH).initial_indent("# ").subsequent_indent("# "));
        text.extend([&comment, "\n", unset, name, " = ", quote, key.default, quote, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_defaults_are_a_valid_config_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.toml");
        std::fs::write(&path, default_file()).expect("written");
        let widest = default_file().lines().map(str::len).max();
        assert!(widest <= Some(WIDTH), "{widest:?}");
        crate::config::load(Some(&path), std::iter::empty()).expect("valid");
    }
}
