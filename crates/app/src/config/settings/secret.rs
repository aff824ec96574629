//! Values that hold secrets, and never show them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::store::not_a_path;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) String);

impl Secret {
    /// The text, for the one who compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Which store, and where.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server; the URL may hold a password.
    Postgres(String),
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
            .map(|_| Self::Postgres(url.to_owned()))
            .ok_or(())
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => {
                // user:password@host: everything before the last @ may be secret, parameters too.
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
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

/// Whether an @ stands behind the host of a URL of ours: most likely a password holds one of `/ ? #`, and what a parser
/// takes for host, port or path is a part of it.
pub(super) fn hides_password(text: &str) -> bool {
    let rest = ["postgres://", "postgresql://", "http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let behind = rest.and_then(|rest| rest.split_once(['/', '?', '#', '\\']));
    behind.is_some_and(|(_, behind)| behind.contains('@'))
}
