//! The last words in a file.

use std::io;
use std::path::{Path, PathBuf};

use ttm_recovery::{Entry, LastWords, Record};

use crate::dto::Line;
use crate::file::JournalFile;
use crate::lines::line;

const HEADER: &str = "ttm-journal 1\n";
/// Enough for every entry that a process makes before it ends, each with the longest evidence.
const MAX_BYTES: u64 = 1024 * 1024;

/// The last words in a file.
#[derive(Debug)]
pub struct FileJournal {
    file: JournalFile,
}

impl FileJournal {
    /// The journal at this path. Nothing is opened or created before it is used.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { file: JournalFile::new(path.into(), HEADER, MAX_BYTES) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

fn entry(json: &[u8]) -> Result<Entry, String> {
    let line: Line = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let record = Record::try_from(line).map_err(|error| format!("its time cannot be read: {error}"))?;
    record.entry().map_err(|error| error.to_string())
}

fn line_of(entry: &Entry) -> io::Result<String> {
    entry.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ok(line(serde_json::to_string(&Line::from(Record::from(entry)))?))
}

impl LastWords for FileJournal {
    fn write(&self, entries: &[Entry]) -> io::Result<()> {
        let lines = || entries.iter().map(line_of).collect();
        self.file.append(lines, |file| self.file.checked(file, entry))
    }

    fn read(&self) -> io::Result<Vec<Entry>> {
        Ok(self.file.read(entry)?.entries)
    }

    fn clear(&self) -> io::Result<()> {
        self.file.clear()
    }

    fn set_aside(&self) -> io::Result<()> {
        self.file.set_aside()
    }
}
