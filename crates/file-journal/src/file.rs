//! The file and its folder: opening, bounded reads, writes that are on the disk when they return.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, OFlags, fallocate};

use crate::lines::{Text, parse};

/// How much of the disk is kept for a journal from its first use on: it is for the very time in which the disk may be full.
const ROOM: u64 = 256 * 1024;

/// A journal's file. Nothing is opened or created before it is used.
#[derive(Debug)]
pub(crate) struct JournalFile {
    path: PathBuf,
    /// The first line; the number in it is the version of the format.
    header: &'static str,
    /// A larger file is not a journal.
    max_bytes: u64,
    /// One call at a time.
    turn: Mutex<()>,
}

impl JournalFile {
    pub(crate) fn new(path: PathBuf, header: &'static str, max_bytes: u64) -> Self {
        Self { path, header, max_bytes, turn: Mutex::new(()) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Everything that it says; nothing if there is no such file.
    pub(crate) fn read<T>(&self, entry: impl Fn(&[u8]) -> Result<T, String>) -> io::Result<Text<T>> {
        let read = || match open(&self.path) {
            Ok(file) => self.text(&file, entry),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Text { entries: Vec::new(), whole: 0, is_torn: false })
            }
            Err(error) => Err(error),
        };
        let _turn = self.turn.lock();
        let text = self.told(read(), "cannot be read")?;
        self.keep_room();
        Ok(text)
    }

    /// Keeps room for what will be added, behind the end of the file. Without it, as in a file system that keeps none, what is added
    /// has to find room then.
    fn keep_room(&self) {
        if let Ok(file) = open_or_create(&self.path) {
            let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, ROOM);
        }
    }

    /// Adds lines behind the whole ones, of which `whole` says how many bytes there are.
    pub(crate) fn append(
        &self,
        lines: impl FnOnce() -> io::Result<String>,
        whole: impl FnOnce(&File) -> io::Result<u64>,
    ) -> io::Result<()> {
        let append = || {
            let mut lines = lines()?;
            if lines.is_empty() {
                return Ok(());
            }
            let file = open_or_create(&self.path)?;
            let whole = whole(&file)?;
            if whole == 0 {
                // It may have been created just now, or by a process that was killed before it came to this. While it is empty,
                // a failure leaves nothing that the next process would read.
                sync_folder(&self.path)?;
                lines.insert_str(0, self.header);
            }
            if whole + lines.len() as u64 > self.max_bytes {
                let what = format!("{} bytes more do not fit into {}", lines.len(), self.max_bytes);
                return Err(io::Error::new(ErrorKind::FileTooLarge, what));
            }
            replace_tail(&file, whole, lines.as_bytes())
        };
        let _turn = self.turn.lock();
        self.told(append(), "cannot be written")
    }

    /// How many bytes are whole lines, each of which is read.
    pub(crate) fn checked<T>(
        &self,
        file: &File,
        entry: impl Fn(&[u8]) -> Result<T, String>,
    ) -> io::Result<u64> {
        Ok(self.text(file, entry)?.whole)
    }

    /// The same from the two ends alone where nothing is torn, however long it is.
    pub(crate) fn ends(&self, file: &File) -> io::Result<u64> {
        let length = file.metadata()?.len();
        let mut start = vec![0; self.header.len()];
        let mut last = [0];
        if length >= start.len() as u64 {
            file.read_exact_at(&mut start, 0)?;
            file.read_exact_at(&mut last, length - 1)?;
        }
        if start == self.header.as_bytes() && last == *b"\n" {
            return Ok(length);
        }
        self.checked(file, |_| Ok(()))
    }

    pub(crate) fn clear(&self) -> io::Result<()> {
        let _turn = self.turn.lock();
        self.told(remove(&self.path), "cannot be removed")?;
        self.keep_room();
        Ok(())
    }

    pub(crate) fn set_aside(&self) -> io::Result<()> {
        let _turn = self.turn.lock();
        self.told(rename_by_time(&self.path), "cannot be set aside")?;
        self.keep_room();
        Ok(())
    }

    fn text<T>(&self, file: &File, entry: impl Fn(&[u8]) -> Result<T, String>) -> io::Result<Text<T>> {
        parse(&content(file, self.max_bytes)?, self.header, entry)
    }

    /// What was done, and where, to an error of it.
    fn told<T>(&self, outcome: io::Result<T>, what: &str) -> io::Result<T> {
        outcome.map_err(|error| {
            let message = format!("{}: {what}: {error}", self.path.display());
            io::Error::new(error.kind(), message)
        })
    }
}

/// Opens it for reading.
fn open(path: &Path) -> io::Result<File> {
    regular(options().read(true).open(path)?)
}

/// Opens it for reading and writing; creates it for this user alone.
fn open_or_create(path: &Path) -> io::Result<File> {
    regular(options().read(true).write(true).create(true).mode(0o600).open(path)?)
}

/// A pipe that is opened waits for its other end, unless it is opened like this.
fn options() -> OpenOptions {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag fits into an int");
    let mut options = OpenOptions::new();
    options.custom_flags(flags);
    options
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(ErrorKind::InvalidData, "it is not a regular file"))
}

/// Everything in it.
fn content(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = format!("it is larger than {most} bytes, so it is not a journal");
        return Err(io::Error::new(ErrorKind::InvalidData, what));
    }
    Ok(bytes)
}

/// Writes this after the first `keep` bytes. If that fails, these alone are left, as far as the disk still does anything.
fn replace_tail(file: &File, keep: u64, tail: &[u8]) -> io::Result<()> {
    // A file that is cut, even to the length that it has, may lose the room behind its end.
    if file.metadata()?.len() != keep {
        file.set_len(keep)?;
    }
    let written = file.write_all_at(tail, keep).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = file.set_len(keep).and_then(|()| file.sync_all());
    }
    written
}

/// Makes the names in its folder outlive a power failure.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Removes it, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives it a name with the time of its last change, and with a number if another file has that name already.
fn rename_by_time(path: &Path) -> io::Result<()> {
    let changed = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.modified()?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let time = Timestamp::try_from(changed).map_err(io::Error::other)?.strftime("%Y%m%dT%H%M%SZ");
    let named = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(if number == 1 { format!(".{time}") } else { format!(".{time}-{number}") });
        PathBuf::from(name)
    };
    for name in (1..).map(named) {
        match fs::symlink_metadata(&name) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::rename(path, name)?;
                return sync_folder(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
