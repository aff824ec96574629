//! Reads the file once, and classifies errors of that.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use ttm_market::TokenSourceError;

/// Enough for a third of a million mints; a larger file is most likely the wrong file.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The result of one read.
pub(crate) type Text = Result<String, TokenSourceError>;

/// Reads the file; blocks.
pub(crate) fn read_file(path: &Path) -> Text {
    let mut text = String::new();
    let read = open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| of_io(path, &error))?;
    if text.len() as u64 > MAX_BYTES {
        let message =
            format!("{}: is larger than {MAX_BYTES} bytes, expected one mint a line", path.display());
        return Err(TokenSourceError::Unusable { message });
    }
    Ok(text)
}

/// Opens a regular file only: opening a pipe blocks until another process writes to it, and a device may do anything. The
/// path may be replaced between the check and the opening, so the opened file is checked again, and opened non-blocking.
fn open(path: &Path) -> io::Result<File> {
    is_file(fs::metadata(path)?.file_type())?;
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag fits into an int");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    is_file(file.metadata()?.file_type())?;
    Ok(file)
}

fn is_file(kind: FileType) -> io::Result<()> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, expected a file")))
}

fn of_io(path: &Path, error: &io::Error) -> TokenSourceError {
    let message = format!("{}: cannot be read: {error}", path.display());
    match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::IsADirectory
        | ErrorKind::NotADirectory
        | ErrorKind::InvalidData
        | ErrorKind::InvalidInput => TokenSourceError::Unusable { message },
        // Such as an error of a disk or a network file system.
        _ => TokenSourceError::Transient { message },
    }
}
