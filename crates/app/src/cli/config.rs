//! `ttm config`: checks, prints and explains the configuration.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::failure::Failure;
use super::load::draft;
use super::output::{self, layout, row, say, wrapped};
use crate::config::{KEYS, Key, Kind, unknown_key, variable_of};

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
    #[command(
        after_help = "Examples:\n  ttm config explain scheduler.hot_interval\n  ttm config explain alerts.channels.ops.kind"
    )]
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
        ConfigCommand::Explain { key: given } => {
            let name = Key::of_variable(given).unwrap_or_else(|| given.clone());
            match Key::find(&name) {
                Some(key) => explain(key, &name)?,
                None => return Err(Failure::Arguments(unknown_key(given))),
            }
        }
        ConfigCommand::Schema => schema()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is open in the name of the key may be filled in the name that is asked for.
fn explain(key: &Key, name: &str) -> Result<(), Failure> {
    say!("{name}")?;
    wrapped("  ", key.doc)?;
    say!("")?;
    let separated =
        if matches!(key.kind, Kind::List(_)) { "; separated by commas in the variable" } else { "" };
    wrapped("  expects   ", &format!("{}{separated}", key.kind.expected()))?;
    wrapped("  default   ", if key.default.is_empty() { "not set" } else { key.default })?;
    wrapped("  variable  ", variable_of(name).as_deref().unwrap_or(NO_VARIABLE))?;
    wrapped("  restart   ", &key.restart.explained())?;
    Ok(())
}

/// In place of a variable.
const NO_VARIABLE: &str = "none: a list of tables is set in the file alone";

fn schema() -> Result<(), Failure> {
    let width = |length: fn(&Key) -> usize| KEYS.iter().map(length).max().unwrap_or(0);
    let (names, defaults) = (width(|key| key.name.len()), width(|key| key.default.len()));
    row(format_args!("{:names$}  {:8}  {:defaults$}  RESTART  VARIABLE", "KEY", "KIND", "DEFAULT"))?;
    for key in KEYS {
        let Key { name, kind, default, restart, .. } = key;
        let (kind, variable) = (kind.name(), key.variable().unwrap_or_else(|| "-".to_owned()));
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
        // There is none of these unless somebody gives it a name.
        let open = of.rsplit_once('.').filter(|(_, last)| matches!(*last, "*" | "#"));
        if of != section {
            section = of;
            let begins = match open {
                None => format!("[{of}]"),
                Some((list, "#")) => format!("# Any number of these:\n# [[{list}]]"),
                Some((named, _)) => {
                    format!("# Any number of these, each with a name of your choice:\n# [{named}.name]")
                }
            };
            text.extend(["\n", &begins, "\n"]);
        }
        let unset = if open.is_some() || key.default.is_empty() { "# " } else { "" };
        let comment = textwrap::fill(key.doc, layout(WIDTH).initial_indent("# ").subsequent_indent("# "));
        let name = name.replace('*', "label");
        text.extend([&comment, "\n", unset, &name, " = ", &written(key), "\n"]);
    }
    text
}

/// The default of a key as TOML; something of its kind if it has none.
fn written(key: &Key) -> String {
    let default = key.default;
    match key.kind {
        Kind::Duration(..) | Kind::Text(_) | Kind::Secret(_) => format!("\"{default}\""),
        Kind::List(_) => {
            let items = default.split(", ").filter(|item| !item.is_empty());
            format!("[{}]", items.map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", "))
        }
        Kind::Number | Kind::Integer(..) | Kind::Percent if default.is_empty() => "0".to_owned(),
        Kind::Number | Kind::Integer(..) | Kind::Percent | Kind::Boolean => default.to_owned(),
    }
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

    #[test]
    fn what_is_commented_out_is_valid_once_it_is_not() {
        let is_code = |line: &str| line.starts_with('[') || line.contains(" = ");
        let uncommented = default_file();
        let uncommented =
            uncommented.lines().map(|line| line.strip_prefix("# ").filter(|it| is_code(it)).unwrap_or(line));
        let text = uncommented.collect::<Vec<_>>().join("\n");
        let (mut values, mut errors) = (crate::config::Values::default(), Vec::new());
        values.read_toml(Path::new("ttm.toml"), &text, &mut errors);
        assert_eq!(errors, []);
        for section in ["alerts.channels", "alerts.rules", "alerts.routes"] {
            assert_eq!(values.chosen(section).len(), 1, "{section}");
        }
    }
}
