//! Reads keys and their values from TOML and from the environment, with the place of each. It judges no value beyond
//! its kind.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{ConfigError, ENV_PREFIX, KEYS, Key, Kind};

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: Option<usize>,
    },
    /// An environment variable.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
        }
    }
}

/// The values that were set, by key, as text.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<&'static str, (String, Origin)>);

impl Values {
    /// The value of a key as text, and where it stands; its default when nobody set it.
    pub fn get(&self, key: &'static Key) -> (&str, Origin) {
        match self.0.get(key.name) {
            Some((value, origin)) => (value, origin.clone()),
            None => (key.default, Origin::Default),
        }
    }

    /// Takes every key of a TOML document.
    pub fn read_toml(&mut self, path: &Path, text: &str, errors: &mut Vec<ConfigError>) {
        let place = |offset: Option<usize>| Origin::File {
            path: path.to_path_buf(),
            line: offset.map(|at| text.get(..at).unwrap_or(text).matches('\n').count() + 1),
        };
        match DeTable::parse(text) {
            Ok(table) => self.read_table("", table.get_ref(), &place, errors),
            Err(error) => errors.push(ConfigError {
                origin: place(error.span().map(|span| span.start)),
                message: error.message().replace('\n', "; "),
            }),
        }
    }

    fn read_table(
        &mut self,
        prefix: &str,
        table: &DeTable<'_>,
        place: &dyn Fn(Option<usize>) -> Origin,
        errors: &mut Vec<ConfigError>,
    ) {
        // In the order of the file, so that errors come in the order in which a person reads it.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let full = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            let origin = place(Some(name.span().start));
            match (Key::find(&full), value.get_ref()) {
                (None, DeValue::Table(inner)) if is_section(&full) => {
                    self.read_table(&full, inner, place, errors);
                }
                (None, _) => errors.push(unknown(origin, &full)),
                (Some(key), value) => match as_text(key.kind, value) {
                    Some(text) => {
                        self.0.insert(key.name, (text, origin));
                    }
                    None => errors.push(ConfigError {
                        origin,
                        message: format!(
                            "{full} is {} {}, expected {}{}",
                            if value.type_str().starts_with(['a', 'i']) { "an" } else { "a" },
                            value.type_str(),
                            if matches!(key.kind, Kind::Text(_)) { "text: " } else { "" },
                            key.kind.expected()
                        ),
                    }),
                },
            }
        }
    }

    /// Takes every variable of the form `TTM_SECTION__KEY`; others are not ours.
    pub fn read_environment(
        &mut self,
        environment: impl Iterator<Item = (String, String)>,
        errors: &mut Vec<ConfigError>,
    ) {
        let mut ours: Vec<_> = environment
            .filter(|(name, _)| name.strip_prefix(ENV_PREFIX).is_some_and(|rest| rest.contains("__")))
            .collect();
        ours.sort();
        for (name, value) in ours {
            let full = name[ENV_PREFIX.len()..].to_lowercase().replace("__", ".");
            match Key::find(&full) {
                Some(key) => {
                    self.0.insert(key.name, (value, Origin::Environment(name)));
                }
                None => errors.push(unknown(Origin::Environment(name), &full)),
            }
        }
    }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

fn as_text(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (Kind::Integer | Kind::Percent, DeValue::Integer(number)) => Some(number.to_string()),
        (Kind::Boolean, DeValue::Boolean(yes)) => Some(yes.to_string()),
        (Kind::Duration | Kind::Text(_), DeValue::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

fn unknown(origin: Origin, name: &str) -> ConfigError {
    let near = KEYS.iter().map(|key| (strsim::levenshtein(key.name, name), key.name)).min();
    let hint = match near {
        Some((distance, near)) if distance <= 3 => format!("did you mean {near}?"),
        _ => "`ttm config schema` lists the keys".to_owned(),
    };
    ConfigError { origin, message: format!("unknown key {name}; {hint}") }
}
