//! `ttm config`: checks, prints and explains the configuration. It starts nothing.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::{Failure, load};
use crate::config::{KEYS, Key, Kind};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Checks the config file and the environment; tells every error at once
    #[command(after_help = "Example:\n  ttm config check --config ttm.toml")]
    Check,
    /// Prints a config file with every key at its default
    #[command(after_help = "Example:\n  ttm config default > ttm.toml")]
    Default,
    /// Explains one key
    #[command(after_help = "Example:\n  ttm config explain scheduler.hot_interval")]
    Explain {
        /// Its full name
        key: String,
    },
    /// Lists every key with its kind, default and environment variable
    #[command(after_help = "Example:\n  ttm config schema")]
    Schema,
}

pub(super) fn execute(command: &ConfigCommand, file: Option<&Path>) -> Result<ExitCode, Failure> {
    match command {
        ConfigCommand::Check => {
            let settings = load(file)?;
            crate::compose::check(&settings)?;
            match file {
                Some(path) => anstream::println!("{}: good", path.display()),
                None => anstream::println!("the defaults and the environment: good"),
            }
        }
        ConfigCommand::Default => anstream::print!("{}", default_file()),
        ConfigCommand::Explain { key } => {
            let key = Key::find(key).ok_or_else(|| {
                Failure::Told(format!("no key is called {key}; `ttm config schema` lists the keys"))
            })?;
            explain(key);
        }
        ConfigCommand::Schema => schema(),
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(key: &Key) {
    anstream::println!("{}\n  {}\n", key.name, key.doc);
    anstream::println!("  expects   {}", key.kind.expected());
    anstream::println!("  default   {}", if key.default.is_empty() { "not set" } else { key.default });
    anstream::println!("  variable  {}", key.variable());
}

fn schema() {
    let width = |length: fn(&Key) -> usize| KEYS.iter().map(length).max().unwrap_or(0);
    let (names, defaults) = (width(|key| key.name.len()), width(|key| key.default.len()));
    anstream::println!("{:names$}  {:8}  {:defaults$}  VARIABLE", "KEY", "KIND", "DEFAULT");
    for key in KEYS {
        anstream::println!(
            "{:names$}  {:8}  {:defaults$}  {}",
            key.name,
            key.kind.name(),
            key.default,
            key.variable()
        );
    }
}

fn default_file() -> String {
    let mut text = String::from("# Every key with its default. Delete what you do not change.\n");
    let mut section = "";
    for key in KEYS {
        let (of, name) = key.split();
        if of != section {
            section = of;
            text.extend(["\n[", section, "]\n"]);
        }
        let quote = if matches!(key.kind, Kind::Duration | Kind::Text(_)) { "\"" } else { "" };
        let unset = if key.default.is_empty() { "# " } else { "" };
        text.extend(["# ", key.doc, "\n", unset, name, " = ", quote, key.default, quote, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_defaults_are_a_config_file_that_is_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.toml");
        std::fs::write(&path, default_file()).expect("written");
        crate::config::load(Some(&path), std::iter::empty()).expect("good");
    }
}
