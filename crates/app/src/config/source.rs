//! Reads keys and their values from TOML and from the environment, with the place of each. Values are checked for their
//! kind only.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Origin};
use super::key::{ANY, KEYS, Key, Kind, NTH, is_below, is_chosen};
use super::suggest::{is_ours, unknown_key, unknown_variable};

/// The values that were set, by key, as text.
#[derive(Clone, Debug, Default)]
pub struct Values {
    set: BTreeMap<String, (String, Origin)>,
    /// Where the sections begin whose names are the user's choice, or that are in a list.
    chosen: BTreeMap<String, Origin>,
}

impl Values {
    /// The value of a key as text, and where it was set, if it was.
    pub fn get(&self, name: &str) -> Option<(&str, Origin)> {
        self.set.get(name).map(|(value, origin)| (&**value, origin.clone()))
    }

    /// The names below `section` that are the user's choice, and where each was first written. The places in a list are in order.
    pub fn chosen(&self, section: &str) -> Vec<(&str, Origin)> {
        let found = self.chosen.iter().filter_map(|(full, origin)| {
            let (of, name) = full.rsplit_once('.')?;
            (of == section).then(|| (name, origin.clone()))
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(name, _)| name.parse::<usize>().ok());
        found
    }

    /// The keys that were set in a section, without the name of the section.
    pub fn keys_in<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a str> {
        self.set.keys().filter_map(move |name| name.strip_prefix(section)?.strip_prefix('.'))
    }

    /// Where each value was set, for those that were.
    pub(super) fn places(&self) -> BTreeMap<String, Origin> {
        let set = self.set.iter().map(|(name, (_, origin))| (name.clone(), origin.clone()));
        self.chosen.clone().into_iter().chain(set).collect()
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
            self.read_value(full, value.get_ref(), origin, place, errors);
        }
    }

    fn read_value(
        &mut self,
        full: String,
        value: &DeValue<'_>,
        origin: Origin,
        place: &dyn Fn(Option<usize>) -> Origin,
        errors: &mut Vec<ConfigError>,
    ) {
        let is_pattern = full.split('.').any(|segment| [ANY, NTH].contains(&segment));
        let key = Key::find(&full).filter(|_| !is_pattern);
        let list = format!("{full}.{NTH}");
        match (key, value) {
            (Some(key), value) => match as_text(key.kind, value) {
                Some(text) => {
                    self.set.insert(full, (text, origin));
                }
                None => errors.push(ConfigError { origin, message: wrong_type(&full, key.kind, value) }),
            },
            (None, DeValue::Array(items)) if is_section(&list) => {
                for (nth, item) in (1..).zip(items.iter()) {
                    self.read_value(
                        format!("{full}.{nth}"),
                        item.get_ref(),
                        place(Some(item.span().start)),
                        place,
                        errors,
                    );
                }
            }
            (None, _) if is_section(&list) => errors.push(ConfigError {
                origin,
                message: format!("{full} is a list of tables, expected [[{full}]]"),
            }),
            (None, DeValue::Table(inner)) if is_section(&full) && !is_pattern => {
                if is_chosen(&full) {
                    self.chosen.insert(full.clone(), origin);
                }
                self.read_table(&full, inner, place, errors);
            }
            (None, _) => errors.push(ConfigError { origin, message: unknown_key(&full) }),
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
            let origin = Origin::Environment(name.clone());
            let found = Key::of_variable(&name).filter(|full| !full.contains(ANY));
            let key = found.and_then(|full| Some((Key::find(&full)?, full)));
            let message = match (key, value.into_string()) {
                (Some((key, full)), Ok(value)) => {
                    self.choose(key, &full, &origin);
                    self.set.insert(full, (value, origin));
                    continue;
                }
                (Some((key, full)), Err(_)) => {
                    format!("{full} is not Unicode, expected {}", key.kind.expected())
                }
                (None, _) => unknown_variable(&name),
            };
            errors.push(ConfigError { origin, message });
        }
    }

    /// Notes the section of a key that is the user's choice.
    fn choose(&mut self, key: &Key, full: &str, origin: &Origin) {
        let depth = key.split().0.split('.').count();
        let section = full.split('.').take(depth).collect::<Vec<_>>().join(".");
        if is_chosen(&section) {
            self.chosen.entry(section).or_insert_with(|| origin.clone());
        }
    }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| is_below(key.name, name))
}

fn as_text(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (Kind::Integer(..) | Kind::Percent | Kind::Number, DeValue::Integer(number)) => {
            Some(number.to_string())
        }
        (Kind::Number, DeValue::Float(number)) => Some(number.to_string()),
        (Kind::Boolean, DeValue::Boolean(yes)) => Some(yes.to_string()),
        (Kind::Duration(..) | Kind::Text(_) | Kind::Secret(_), DeValue::String(text)) => {
            Some(text.to_string())
        }
        (Kind::List(_), DeValue::Array(items)) => {
            let text =
                |item: &DeValue<'_>| item.as_str().filter(|text| !text.contains(',')).map(str::to_owned);
            let items: Option<Vec<String>> = items.iter().map(|item| text(item.get_ref())).collect();
            items.map(|items| items.join(", "))
        }
        _ => None,
    }
}

fn wrong_type(name: &str, kind: Kind, value: &DeValue<'_>) -> String {
    format!(
        "{name} is {} {}, expected {}{}",
        if value.type_str().starts_with(['a', 'i']) { "an" } else { "a" },
        value.type_str(),
        match kind {
            Kind::Text(_) | Kind::Secret(_) => "text: ",
            Kind::List(_) => "a list of texts without commas: ",
            _ => "",
        },
        kind.expected()
    )
}
