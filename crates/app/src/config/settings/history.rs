//! The keys `store.metrics_url`, where the history is kept if not beside the state, and `store.reader_url`, by which it is read.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use ttm_service::Databases;

use super::reader::{Reader, Reported};
use super::store_url::StoreUrl;

const KEY: &str = "store.metrics_url";
const READER: &str = "store.reader_url";

/// The kind and place of a history. One that keeps nothing but a history has a variant of its own.
#[derive(Clone, Debug)]
pub enum HistoryUrl {
    /// A database that could keep the state, too.
    Sql(StoreUrl),
}

impl fmt::Display for HistoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(url) => url.fmt(f),
        }
    }
}

/// Where metrics and events are stored.
#[derive(Clone, Debug)]
pub struct HistorySettings {
    /// The database.
    pub url: HistoryUrl,
    /// Whether it is another one than that of the state.
    pub is_apart: bool,
    /// The key that says so.
    pub key: &'static str,
    /// How queries log in, if not as the rest does; the URL may contain a password.
    pub reader_url: Option<SecretString>,
}

impl HistorySettings {
    /// Which databases there are, with the state in `store`.
    pub(super) fn databases(&self, store: &StoreUrl) -> Databases {
        if self.is_apart {
            Databases::Two { state: store.to_string(), history: self.url.to_string() }
        } else {
            Databases::One
        }
    }
}

impl Reader<'_> {
    /// The history, with the state in `store`, which is `None` if that is wrong; a relative path is relative to `folder`.
    pub(super) fn history(&mut self, folder: &Path, store: Option<&StoreUrl>) -> Option<HistorySettings> {
        let (url, is_apart, key) = if self.is_set(KEY) {
            // Another kind of URL is told by its scheme, here.
            let url = self.store(KEY, folder);
            let is_apart = url.as_ref().zip(store).is_some_and(|(url, store)| !is_same(url, store));
            (url, is_apart, KEY)
        } else {
            (store.cloned(), false, super::store::KEY)
        };
        let reader_url = self.reader_url(url.as_ref(), key).ok();
        Some(HistorySettings { url: HistoryUrl::Sql(url?), is_apart, key, reader_url: reader_url? })
    }

    /// How the history at `url`, which is `None` if that is wrong, is read; `key` says where it is.
    fn reader_url(&mut self, url: Option<&StoreUrl>, key: &str) -> Result<Option<SecretString>, Reported> {
        let reader = self.read(READER, |text| match text.parse() {
            _ if text.is_empty() => Some(None),
            Ok(StoreUrl::Postgres(url)) => Some(Some(url)),
            _ => None,
        });
        let reader = reader.ok_or(Reported)?;
        if let (Some(_), Some(StoreUrl::Sqlite(_))) = (&reader, url) {
            let message = format!("{READER} is set, but {key} is a file, expected a server for both");
            self.refuse(self.place(READER), message);
            return Err(Reported);
        }
        Ok(reader)
    }
}

/// Whether both are the same database, as far as their names tell: two names of one server are not seen through.
fn is_same(one: &StoreUrl, other: &StoreUrl) -> bool {
    match (one, other) {
        (StoreUrl::Sqlite(one), StoreUrl::Sqlite(other)) => resolved(one) == resolved(other),
        _ => one.to_string() == other.to_string(),
    }
}

/// The file behind the links to it. One that is not made yet has no links; its folder may.
fn resolved(path: &Path) -> PathBuf {
    let in_folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_folder).unwrap_or_else(|| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::symlink;

    use ttm_service::Databases;

    use crate::config::{Settings, load};

    fn read(url: &str, metrics_url: &str) -> Result<Settings, String> {
        let variables = [("TTM_STORE__URL", url), ("TTM_STORE__METRICS_URL", metrics_url)];
        let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        load(None, variables.into_iter()).map_err(|errors| errors.to_string())
    }

    #[test]
    fn without_a_key_of_its_own_the_history_is_beside_the_state() {
        for (url, shown) in [("sqlite://a.db", "sqlite://a.db"), ("postgres://ann@h/d", "postgres://h/d")] {
            let history = read(url, "").expect("valid").history;
            assert_eq!(
                (&*history.url.to_string(), history.is_apart, history.key),
                (shown, false, "store.url")
            );
        }
    }

    #[test]
    fn state_and_history_may_each_be_in_a_file_or_on_a_server() {
        for (url, metrics_url) in [
            ("sqlite://a.db", "sqlite://b.db"),
            ("sqlite://a.db", "postgres://h/d"),
            ("postgres://h/d", "sqlite://a.db"),
            ("postgres://h/d", "postgres://h/e"),
            ("postgres://h/d", "postgres://g/d"),
        ] {
            let settings = read(url, metrics_url).expect("valid");
            let history = settings.history;
            assert_eq!(
                (settings.store.to_string(), history.url.to_string()),
                (url.into(), metrics_url.into())
            );
            assert!(history.is_apart && history.key == "store.metrics_url");
            let two = Databases::Two { state: url.to_owned(), history: metrics_url.to_owned() };
            assert_eq!(settings.service.databases, two);
        }
    }

    #[test]
    fn the_same_database_under_another_name_is_not_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        std::fs::write(folder.path().join("ttm.db"), "").expect("written");
        symlink("ttm.db", folder.path().join("link.db")).expect("linked");
        std::fs::create_dir(folder.path().join("sub")).expect("made");
        for other in ["ttm.db", "link.db", "./ttm.db", "sub/../ttm.db"] {
            let settings = read(&file("ttm.db"), &file(other)).expect("valid");
            assert!(!settings.history.is_apart, "{other}");
        }
        assert!(!read(&file("new.db"), &file("sub/../new.db")).expect("valid").history.is_apart);
        assert!(read(&file("ttm.db"), &file("new.db")).expect("valid").history.is_apart);
        let users = read("postgres://ann:x@h/d", "postgres://bob@h/d").expect("valid");
        assert!(!users.history.is_apart, "whoever logs in, it is one database");
    }

    #[test]
    fn what_is_wrong_with_it_is_told_with_its_own_key_and_without_secrets() {
        for (metrics_url, told) in [
            ("mysql://ann:hunter2@h/d", "is not a store URL, expected"),
            ("postgres://ann:/hunter2@h/d", "has an @ after the host: percent-encode"),
            ("sqlite://d/ttm.db?key=hunter2", "has a ? or # in its path, expected"),
            ("sqlite:///etc", "is /etc, which is not a file, expected"),
        ] {
            let errors = read("sqlite://a.db", metrics_url).expect_err("invalid");
            let expected = format!("TTM_STORE__METRICS_URL: store.metrics_url {told}");
            assert!(errors.starts_with(&expected) && errors.lines().count() == 1, "{errors}");
            assert!(!errors.contains("hunter2"), "{errors}");
        }
        let both = read("mysql://x", "mysql://y").expect_err("invalid");
        assert_eq!(both.lines().count(), 2, "{both}");
    }

    #[test]
    fn a_reader_is_another_login_on_a_server_and_never_shown() {
        let read = |url: &str, metrics_url: &str, reader_url: &str| {
            let variables = [
                ("TTM_STORE__URL", url),
                ("TTM_STORE__METRICS_URL", metrics_url),
                ("TTM_STORE__READER_URL", reader_url),
            ];
            let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
            load(None, variables.into_iter()).map_err(|errors| errors.to_string())
        };
        let reader = "postgres://reader:hunter2@h/d";
        for (url, metrics_url) in [("postgres://h/d", ""), ("sqlite://a.db", "postgres://h/d")] {
            let settings = read(url, metrics_url, reader).expect("valid");
            let shown = format!("{settings:?}");
            assert!(settings.history.reader_url.is_some() && !shown.contains("hunter2"), "{shown}");
        }
        assert!(read("postgres://h/d", "", "").expect("valid").history.reader_url.is_none());
        for (url, metrics_url, reader_url, told) in [
            ("sqlite://a.db", "", reader, "is set, but store.url is a file, expected a server for both"),
            (
                "postgres://h/d",
                "sqlite://a.db",
                reader,
                "is set, but store.metrics_url is a file, expected a server for both",
            ),
            (
                "postgres://h/d",
                "",
                "sqlite://hunter2.db",
                "is not such a URL, expected postgres://user@host/database, or empty",
            ),
            ("postgres://h/d", "", "postgres://ann:/hunter2@h/d", "has an @ after the host: percent-encode"),
        ] {
            let errors = read(url, metrics_url, reader_url).expect_err("invalid");
            let expected = format!("TTM_STORE__READER_URL: store.reader_url {told}");
            assert!(errors.starts_with(&expected) && !errors.contains("hunter2"), "{errors}");
        }
    }
}
