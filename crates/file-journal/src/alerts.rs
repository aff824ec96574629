//! What was sent from memory, in a file.

use std::io;
use std::path::{Path, PathBuf};

use ttm_alert::{AlertJournal, Journal, Journalled};

use crate::file::JournalFile;
use crate::lines::line;

const HEADER: &str = "ttm-alert-journal 1\n";
/// Thousands of messages, or a few about very many alerts each.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A journal of alerts in a file.
#[derive(Debug)]
pub struct FileAlertJournal {
    file: JournalFile,
}

impl FileAlertJournal {
    /// The journal at this path. Nothing is opened or created before it is used.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { file: JournalFile::new(path.into(), HEADER, MAX_BYTES) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

fn sent(json: &[u8]) -> Result<Journalled, String> {
    let json = str::from_utf8(json).map_err(|error| error.to_string())?;
    ttm_alert_json::read(json).map_err(|misfit| format!("it has {misfit}"))
}

impl AlertJournal for FileAlertJournal {
    fn append(&self, sent: &Journalled) -> io::Result<()> {
        let line = || {
            let of = |misfit| format!("the message {} has {misfit}", sent.row.key);
            let json = ttm_alert_json::write(sent).map_err(of);
            json.map(line).map_err(|what| io::Error::new(io::ErrorKind::InvalidInput, what))
        };
        // A storm appends much: what is there already is not read again each time.
        self.file.append(line, |file| self.file.ends(file))
    }

    fn read(&self) -> io::Result<Journal> {
        let text = self.file.read(sent)?;
        Ok(Journal::of(text.entries, text.is_torn.into()))
    }

    fn clear(&self) -> io::Result<()> {
        self.file.clear()
    }

    fn set_aside(&self) -> io::Result<()> {
        self.file.set_aside()
    }
}
