//! Reads typed values by the name of their key, and collects their errors, each with its place.

use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use ttm_kernel::InvalidSetting;

use super::store_url::hides_password;
use crate::config::{ConfigError, Key, Kind, Origin, Values};

/// Characters around the parts of a URL that may be secret; the base URL of the API needs none of them.
pub(super) const SECRETIVE: [char; 3] = ['@', '?', '#'];

/// Reads typed values and collects their errors.
pub(super) struct Reader<'a> {
    pub(super) values: &'a Values,
    pub(super) errors: &'a mut Vec<ConfigError>,
}

impl Reader<'_> {
    pub(super) fn raw(&self, name: &str) -> (&'static Key, &str, Origin) {
        let key = Key::find(name).expect("every name is in the table of keys");
        let (text, origin) = self.values.get(key);
        (key, text, origin)
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

    pub(super) fn text(&self, name: &str) -> String {
        self.raw(name).1.to_owned()
    }

    pub(super) fn read<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (key, text, origin) = self.raw(name);
        let value = parse(text);
        if value.is_none() {
            let message = if hides_password(text) {
                format!(
                    "{name} has an @ after the host: percent-encode / ? and # in a user name or password, as in %2F %3F %23"
                )
            } else {
                // These may contain a password.
                let shown = match name {
                    "store.url" => "not a store URL".to_owned(),
                    "sources.postgres_url" => "not such a URL".to_owned(),
                    "dexscreener.base_url" if text.contains(SECRETIVE) => {
                        "a URL with a user name, a query or a fragment".to_owned()
                    }
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
                    let origin = Key::find(&name).map_or(Origin::Default, |key| self.values.get(key).1);
                    let message = format!("{name} is {value}, expected {bound}");
                    self.errors.push(ConfigError { origin, message });
                }
            })
            .ok()
    }
}
