//! The URL of a store, displayed without its password.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

/// The kind and place of a store.
#[derive(Clone)]
pub enum StoreUrl {
    /// SQLite: the path of the file.
    Sqlite(PathBuf),
    /// PostgreSQL: a URL that may contain a password.
    Postgres(SecretString),
}

impl FromStr for StoreUrl {
    type Err = ();

    fn from_str(url: &str) -> Result<Self, ()> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() || not_a_path(path).is_some() {
                return Err(());
            }
            return Ok(Self::Sqlite(path.into()));
        }
        let server = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        server
            .filter(|rest| !rest.is_empty() && !hides_password(url))
            .map(|_| Self::Postgres(url.into()))
            .ok_or(())
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => {
                // user:password@host: everything before the last @ may be secret, and so may parameters.
                let rest = url.expose_secret().split_once("://").map_or("", |(_, rest)| rest);
                let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
                write!(f, "postgres://{}", rest.split(['?', '#']).next().unwrap_or_default())
            }
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a URL has an @ after the host: most likely a password contains one of `/ ? #`, and a parser takes parts of it for
/// host, port or path.
pub(super) fn hides_password(text: &str) -> bool {
    let rest = ["postgres://", "postgresql://", "http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let after_host = rest.and_then(|rest| rest.split_once(['/', '?', '#', '\\']));
    after_host.is_some_and(|(_, after)| after.contains('@'))
}

/// Why the text is not a plain path: other programs would interpret it, and this one would use it as a file name. The text
/// itself is not shown, since a query may contain a secret.
pub(super) fn not_a_path(text: &str) -> Option<&'static str> {
    let is_escape = |at: usize| {
        text.as_bytes()[at + 1..].get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    };
    if text.contains(['?', '#']) {
        Some("has a ? or # in its path")
    } else if text.starts_with(':') || text.starts_with("file:") {
        Some("names an SQLite database that is not a plain file")
    } else if text.starts_with(['~', '$']) {
        Some("starts with ~ or $, which only a shell expands")
    } else if text.chars().any(char::is_control) {
        Some("has a control character in its path")
    } else if text.match_indices('%').any(|(at, _)| is_escape(at)) {
        Some("is percent-encoded, but a path is taken literally")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_displayed_without_its_password() {
        let store: StoreUrl = "postgres://ttm:se@cret@db.example:5432/ttm?sslkey=x".parse().expect("a store");
        assert_eq!(store.to_string(), "postgres://db.example:5432/ttm");
        assert!(!format!("{store:?}").contains("cret"));
        assert!("mysql://x".parse::<StoreUrl>().is_err());
        assert!("sqlite://".parse::<StoreUrl>().is_err());
    }
}
