//! Reads keys and their values from TOML and from the environment, with the place of each. Values are checked for their
//! kind only.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Origin};
use super::key::{ENV_PREFIX, KEYS, Key, Kind};

/// The values that were set, by key, as text.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<&'static str, (String, Origin)>);

impl Values {
    /// The value of a key as text, and where it was set; its default if it was not.
    pub fn get(&self, key: &'static Key) -> (&str, Origin) {
        match self.0.get(key.name) {
            Some((value, origin)) => (value, origin.clone()),
            None => (key.default, Origin::Default),
        }
    }

    /// Where each value was set, for those that were.
    pub(super) fn places(&self) -> BTreeMap<&'static str, Origin> {
        self.0.iter().map(|(name, (_, origin))| (*name, origin.clone())).collect()
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
        // In the order of the file, so that errors appear in that order.
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

    /// Takes every variable of the form `TTM_SECTION__KEY`. Other variables with our prefix are errors; the rest of the
    /// environment is ignored, Unicode or not.
    pub fn read_environment(
        &mut self,
        environment: impl Iterator<Item = (OsString, OsString)>,
        errors: &mut Vec<ConfigError>,
    ) {
        let mut ours: Vec<_> = environment
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .filter(|(name, _)| is_ours(name))
            .collect();
        ours.sort();
        for (name, value) in ours {
            let key = Key::of_variable(&name);
            let message = match (key, value.into_string()) {
                (Some(key), Ok(value)) => {
                    self.0.insert(key.name, (value, Origin::Environment(name)));
                    continue;
                }
                (Some(key), Err(_)) => {
                    format!("{} is not Unicode, expected {}", key.name, key.kind.expected())
                }
                (None, _) => unknown_variable(&name),
            };
            errors.push(ConfigError { origin: Origin::Environment(name), message });
        }
    }
}

/// Whether a variable has our prefix, in any case, and is not one that another program sets.
fn is_ours(name: &str) -> bool {
    let upper = name.to_uppercase();
    let Some(rest) = upper.strip_prefix(ENV_PREFIX) else { return false };
    // Those of the tests, and those that Kubernetes sets for a service named ttm.
    let others = rest.starts_with("TEST_")
        || rest == "SERVICE_HOST"
        || rest.starts_with("SERVICE_PORT")
        || rest == "PORT"
        || rest.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    !others
}

fn unknown_variable(name: &str) -> String {
    let squeezed = |name: &str| name.to_uppercase().replace("__", "_");
    let meant = KEYS.iter().map(Key::variable).find(|variable| squeezed(variable) == squeezed(name));
    if let Some(meant) = meant {
        return format!("unknown variable; did you mean {meant}?");
    }
    let of_ours = name.strip_prefix(ENV_PREFIX).filter(|rest| rest.contains("__"));
    if let Some(rest) = of_ours {
        return unknown_key(&rest.to_lowercase().replace("__", "."));
    }
    let distance = |variable: &String| strsim::levenshtein(&squeezed(variable), &squeezed(name));
    let near = KEYS.iter().map(Key::variable).min_by_key(distance);
    match near.filter(|near| distance(near) <= NEAR) {
        Some(near) => format!("unknown variable; did you mean {near}?"),
        None => "unknown variable; `ttm config schema` lists the known ones".to_owned(),
    }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

fn as_text(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (Kind::Integer(..) | Kind::Percent, DeValue::Integer(number)) => Some(number.to_string()),
        (Kind::Boolean, DeValue::Boolean(yes)) => Some(yes.to_string()),
        (Kind::Duration(..) | Kind::Text(_), DeValue::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

/// The largest edit distance of a suggestion.
const NEAR: usize = 3;

/// The message for an unknown key, with the key or section that was probably meant.
pub fn unknown_key(name: &str) -> String {
    let lower = name.to_lowercase();
    // A variable means the key that it sets.
    let lower = lower.strip_prefix("ttm_").map_or(lower.clone(), |rest| rest.replace("__", "."));
    if is_section(&lower) && lower != name {
        return format!("unknown key {name}; did you mean {lower}?");
    }
    if is_section(&lower) {
        let keys: Vec<&str> =
            KEYS.iter().map(|key| key.name).filter(|key| key.starts_with(&format!("{lower}."))).collect();
        return format!("{name} is a section, not a key; its keys are {}", keys.join(", "));
    }
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let sections = KEYS.iter().map(|key| key.split().0);
    let names = KEYS.iter().map(|key| key.name).chain(sections);
    let near = names.map(|known| (strsim::levenshtein(known, &lower), known)).min();
    let same_end = KEYS.iter().map(|key| key.name).find(|key| last(key) == last(&lower));
    match (near, same_end) {
        // Every name is close to one of three letters.
        (Some((distance, near)), _) if distance <= NEAR && distance * 2 < lower.len() => {
            format!("unknown key {name}; did you mean {near}?")
        }
        (_, Some(near)) => format!("unknown key {name}; did you mean {near}?"),
        _ => format!("unknown key {name}; `ttm config schema` lists the keys"),
    }
}

fn unknown(origin: Origin, name: &str) -> ConfigError {
    ConfigError { origin, message: unknown_key(name) }
}
