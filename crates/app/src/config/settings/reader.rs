//! Reads typed values by the name of their key, and collects their errors, each with its place.

use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use ttm_kernel::InvalidSetting;

use super::store_url::hides_password;
use crate::config::{ConfigError, Key, Kind, Origin, Values};

/// Characters around the parts of a URL that may be secret; the base URL of the API needs none of them.
pub(super) const SECRETIVE: [char; 3] = ['@', '?', '#'];

/// There is no value, and its error is reported already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

/// Reads typed values and collects their errors.
pub(super) struct Reader<'a> {
    pub(super) values: &'a Values,
    pub(super) errors: &'a mut Vec<ConfigError>,
}

impl Reader<'_> {
    /// The key, its value or its default, and where that was set.
    pub(super) fn raw(&self, name: &str) -> (&'static Key, &str, Origin) {
        let key = Key::find(name).expect("every name is in the table of keys");
        let (text, origin) = self.values.get(name).unwrap_or((key.default, Origin::Default));
        (key, text, origin)
    }

    /// Where a key was set.
    pub(super) fn place(&self, name: &str) -> Origin {
        self.values.get(name).map_or(Origin::Default, |(_, origin)| origin)
    }

    /// Whether a key has a value that is not empty, from somewhere else than the table of keys.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|(text, _)| !text.is_empty())
    }

    /// The value of a key that may be missing; `default` if it is. `None` where it is wrong.
    pub(super) fn if_set<T>(
        &mut self,
        name: &str,
        default: T,
        read: impl FnOnce(&mut Self, &str) -> Option<T>,
    ) -> Option<T> {
        if self.is_set(name) { read(self, name) } else { Some(default) }
    }

    /// Whether something wrong with this key is reported already.
    pub(super) fn is_told(&self, name: &str) -> bool {
        self.errors.iter().any(|error| error.is_about(name))
    }

    /// Reports an error.
    pub(super) fn refuse(&mut self, origin: Origin, message: String) {
        self.errors.push(ConfigError { origin, message });
    }

    pub(super) fn parsed<T: FromStr>(&mut self, name: &str) -> Option<T> {
        self.read(name, |text| text.parse().ok())
    }

    /// A whole number within the bounds of the key.
    pub(super) fn integer<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let number = self.read(name, |text| text.parse::<i128>().ok())?;
        let (key, text, _) = self.raw(name);
        let fits = match key.kind {
            Kind::Integer(least, most) => (i128::from(least)..=i128::from(most)).contains(&number),
            _ => true,
        };
        let value = text.parse().ok().filter(|_| fits);
        self.bounded(name, value)
    }

    /// A duration within the bounds of the key.
    pub(super) fn duration(&mut self, name: &str) -> Option<Duration> {
        let signed = self.read(name, |text| SpanParser::new().parse_duration(text).ok())?;
        let bound = |text: &str| SpanParser::new().parse_unsigned_duration(text).ok();
        let duration = Duration::try_from(signed).ok().filter(|duration| match self.raw(name).0.kind {
            Kind::Duration(least, most) => {
                bound(least).is_none_or(|least| least <= *duration)
                    && bound(most).is_none_or(|most| *duration <= most)
            }
            _ => true,
        });
        self.bounded(name, duration)
    }

    /// Reports a value that is out of the bounds of its key, which is `None`.
    pub(super) fn bounded<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let (key, text, origin) = self.raw(name);
            let bounds = key.kind.bounds().unwrap_or_default();
            let message = format!("{name} is {text}, expected {bounds}");
            self.errors.push(ConfigError { origin, message });
        }
        value
    }

    /// The texts of a list.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let items = self.raw(name).1.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(str::to_owned).collect()
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.raw(name).1.to_owned()
    }

    pub(super) fn read<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (key, text, origin) = self.raw(name);
        let value = parse(text);
        if value.is_none() {
            let message = if hides_password(text) && !matches!(key.kind, Kind::Secret(_)) {
                format!(
                    "{name} has an @ after the host: percent-encode / ? and # in a user name or password, as in %2F %3F %23"
                )
            } else {
                // These may contain a password.
                let shown = match name {
                    "store.url" | "store.metrics_url" => "not a store URL".to_owned(),
                    "sources.postgres_url" | "store.reader_url" => "not such a URL".to_owned(),
                    "dexscreener.base_url" if text.contains(SECRETIVE) => {
                        "a URL with a user name, a query or a fragment".to_owned()
                    }
                    _ if matches!(key.kind, Kind::Secret(_)) => "(hidden)".to_owned(),
                    _ if text.contains('@') => "not such a URL".to_owned(),
                    _ => format!("{text:?}"),
                };
                format!("{name} is {shown}, expected {}", key.kind.expected())
            };
            self.errors.push(ConfigError { origin, message });
        }
        value
    }

    /// Takes the result of a domain's validation; its settings are in `section`.
    pub(super) fn checked<T>(&mut self, section: &str, result: Result<T, Vec<InvalidSetting>>) -> Option<T> {
        result
            .map_err(|wrong| {
                for InvalidSetting { key, value, bound } in wrong {
                    let name = format!("{section}.{key}");
                    let origin = self.place(&name);
                    // As it was written, where its own form is not the one of a config.
                    let is_list = Key::find(&name).is_some_and(|key| matches!(key.kind, Kind::List(_)));
                    let value = if is_list { format!("{:?}", self.list(&name)) } else { value };
                    let message = format!("{name} is {value}, expected {bound}");
                    self.errors.push(ConfigError { origin, message });
                }
            })
            .ok()
    }
}
