//! The URL of a store, as in the key `store.url`. A path that cannot be a database file is refused before a file with an unintended name is created.

use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{FsWord, PROC_SUPER_MAGIC, statfs};

use super::reader::Reader;
use super::store_url::{StoreUrl, not_a_path};
use crate::config::ConfigError;

pub(super) const KEY: &str = "store.url";

impl Reader<'_> {
    /// The store of a key; a relative path is relative to `folder`.
    pub(super) fn store(&mut self, name: &str, folder: &Path) -> Option<StoreUrl> {
        if let Some(wrong) = self.raw(name).1.strip_prefix("sqlite://").and_then(not_a_path) {
            return self.refuse_store(name, wrong);
        }
        let path = match self.parsed(name)? {
            StoreUrl::Sqlite(path) => folder.join(path),
            server @ StoreUrl::Postgres(_) => return Some(server),
        };
        match not_a_file(&path) {
            Some(wrong) => self.refuse_store(name, &wrong),
            None => Some(StoreUrl::Sqlite(path)),
        }
    }

    fn refuse_store(&mut self, name: &str, wrong: &str) -> Option<StoreUrl> {
        let (key, _, origin) = self.raw(name);
        let message = format!("{name} {wrong}, expected {}", key.kind.expected());
        self.errors.push(ConfigError { origin, message });
        None
    }
}

/// Why the path cannot be a file, if it cannot.
fn not_a_file(path: &Path) -> Option<String> {
    let shown = path.display();
    match path.metadata() {
        Ok(there) if !there.is_file() => Some(format!("is {shown}, which is not a file")),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Some(format!("is {shown}, which is below a file"))
        }
        _ if path.to_string_lossy().ends_with('/') => Some(format!("is {shown}, which is not a file")),
        Err(_) => system_folder(path).map(|folder| {
            format!("is {shown}, and {} is a system directory that cannot hold files", folder.display())
        }),
        // It can be created, or opening it reports why not.
        _ => None,
    }
}

/// The folder in which the file would be created, if that is procfs or sysfs, which root could try to write to.
fn system_folder(path: &Path) -> Option<&Path> {
    /// The magic number of sysfs, see statfs(2).
    const SYSFS_MAGIC: FsWord = 0x6265_6572;
    let folder = path.ancestors().skip(1).find(|folder| folder.exists())?;
    let kind = statfs(folder).ok()?.f_type;
    [PROC_SUPER_MAGIC, SYSFS_MAGIC].contains(&kind).then_some(folder)
}

#[cfg(test)]
mod tests {

    fn store(url: &str) -> Result<String, String> {
        let environment = [("TTM_STORE__URL".into(), url.into())];
        crate::config::load(None, environment.into_iter())
            .map(|settings| settings.store.to_string())
            .map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_path_that_would_create_an_unintended_file_is_refused() {
        for path in [
            "d/ttm.db?mode=rwc&key=hunter2",
            "ttm.db#hunter2",
            ":memory:",
            "file:ttm.db",
            "~/x.db",
            "~ann/x.db",
            "$HOME/x.db",
            "a\0b",
            "a\nb",
            "my%20store.db",
            ".",
            "..",
            "/etc",
            "/etc/",
            "no-such-folder/",
            "/dev/zero",
            "/dev/null",
            "/etc/passwd/x.db",
            "/proc/x/ttm.db",
            "/sys/ttm.db",
        ] {
            let told = store(&format!("sqlite://{path}")).expect_err(path);
            assert_eq!(told.lines().count(), 1, "{told}");
            assert!(told.starts_with("TTM_STORE__URL: store.url "), "{told}");
            assert!(told.ends_with(", expected sqlite://path or postgres://user@host/database"), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn unusual_characters_are_allowed_in_a_path() {
        for path in
            ["ttm-data/ttm.db", "/no/such/ttm.db", "my store.db", "100%.db", "a~b.db", "a:b.db", "é.db"]
        {
            assert_eq!(store(&format!("sqlite://{path}")), Ok(format!("sqlite://{path}")));
        }
    }
}
