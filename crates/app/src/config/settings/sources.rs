//! The section `[sources]`: external token lists.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::reader::Reader;
use super::store_url::StoreUrl;

/// External token lists; all are optional.
#[derive(Clone, Debug, Default)]
pub struct SourceSettings {
    /// A file with one mint per line.
    pub file: Option<PathBuf>,
    /// Whether to follow tokens with a new profile.
    pub profiles: bool,
    /// The database of an existing system; the URL may contain a password.
    pub postgres_url: Option<SecretString>,
}

impl Reader<'_> {
    pub(super) fn sources(&mut self, folder: &Path) -> Option<SourceSettings> {
        let file = self.text("sources.file");
        let postgres_url = self.read("sources.postgres_url", |text| match text.parse() {
            _ if text.is_empty() => Some(None),
            Ok(StoreUrl::Postgres(url)) => Some(Some(url)),
            _ => None,
        });
        let profiles = self.parsed("sources.profiles");
        let file = (!file.is_empty()).then(|| folder.join(file));
        Some(SourceSettings { file, profiles: profiles?, postgres_url: postgres_url? })
    }
}
