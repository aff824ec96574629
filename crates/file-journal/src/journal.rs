//! The text of a journal, and the port.

use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use ttm_recovery::{Entry, LastWords, Record};

use crate::dto::Line;
use crate::file;

/// The first line; the number is the version of the format.
const HEADER: &str = "ttm-journal 1\n";
/// Enough for every entry that a process makes before it ends, each with the longest evidence; a larger file is not a
/// journal.
const MAX_BYTES: u64 = 1024 * 1024;
/// A checksum and a space before the JSON.
const PREFIX: usize = 9;

/// The last words in a file.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    /// One call at a time.
    turn: Mutex<()>,
}

impl FileJournal {
    /// The journal at this path. Nothing is opened or created before it is used.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), turn: Mutex::new(()) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was done, and where, to an error of it.
    fn told<T>(&self, outcome: io::Result<T>, what: &str) -> io::Result<T> {
        outcome.map_err(|error| {
            let message = format!("{}: {what}: {error}", self.path.display());
            io::Error::new(error.kind(), message)
        })
    }
}

/// What a journal says, and how many bytes of it are whole lines.
struct Text {
    entries: Vec<Entry>,
    whole: u64,
}

fn parse(text: &[u8]) -> io::Result<Text> {
    let damaged = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    // What is after the last newline is the rest of a write that never returned. After a crash it may end in zeros: some file
    // systems know the new length before they have the content.
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let written = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if whole == 0 && HEADER.as_bytes().starts_with(&text[..written]) {
        return Ok(Text { entries: Vec::new(), whole: 0 });
    }
    let Some(lines) = text[..whole].strip_prefix(HEADER.as_bytes()) else {
        let start = text[..text.len().min(32)].escape_ascii();
        return Err(damaged(format!(
            "is not a journal of this program's version: it begins with \"{start}\""
        )));
    };
    let entries = lines.split_inclusive(|byte| *byte == b'\n').zip(2..).map(|(line, number)| {
        entry(line).map_err(|what| damaged(format!("line {number} is damaged: {what}")))
    });
    Ok(Text { entries: entries.collect::<io::Result<_>>()?, whole: whole as u64 })
}

/// Reads a line with its newline.
fn entry(line: &[u8]) -> Result<Entry, String> {
    let (prefix, json) = line.split_at_checked(PREFIX).ok_or("it is too short")?;
    if prefix != checksum(json).as_bytes() {
        return Err("its checksum is wrong".to_owned());
    }
    let line: Line = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let record = Record::try_from(line).map_err(|error| format!("its time cannot be read: {error}"))?;
    record.entry().map_err(|error| error.to_string())
}

fn checksum(json: &[u8]) -> String {
    format!("{:08x} ", crc32fast::hash(json))
}

/// The line of an entry.
fn line(entry: &Entry) -> io::Result<String> {
    entry.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let mut json = serde_json::to_string(&Line::from(Record::from(entry)))?;
    json.push('\n');
    Ok(checksum(json.as_bytes()) + &json)
}

impl LastWords for FileJournal {
    fn write(&self, entries: &[Entry]) -> io::Result<()> {
        let write = || {
            let mut lines = entries.iter().map(line).collect::<io::Result<String>>()?;
            if lines.is_empty() {
                return Ok(());
            }
            let file = file::open_or_create(&self.path)?;
            let whole = parse(&file::content(&file, MAX_BYTES)?)?.whole;
            if whole == 0 {
                // It may have been created just now, or by a process that was killed before it came to this. While it is empty,
                // a failure leaves nothing that the next process would read.
                file::sync_folder(&self.path)?;
                lines.insert_str(0, HEADER);
            }
            if whole + lines.len() as u64 > MAX_BYTES {
                let what = format!("{} bytes more do not fit into {MAX_BYTES}", lines.len());
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
            }
            file::replace_tail(&file, whole, lines.as_bytes())
        };
        let _turn = self.turn.lock();
        self.told(write(), "cannot be written")
    }

    fn read(&self) -> io::Result<Vec<Entry>> {
        let read = || match file::open(&self.path) {
            Ok(file) => Ok(parse(&file::content(&file, MAX_BYTES)?)?.entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let _turn = self.turn.lock();
        self.told(read(), "cannot be read")
    }

    fn clear(&self) -> io::Result<()> {
        let _turn = self.turn.lock();
        self.told(file::remove(&self.path), "cannot be removed")
    }

    fn set_aside(&self) -> io::Result<()> {
        let _turn = self.turn.lock();
        self.told(file::rename_by_time(&self.path), "cannot be set aside")
    }
}
