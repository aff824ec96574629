//! One look at the file, and what a failure of it means. It does not know what the text says.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use ttm_market::TokenSourceError;

/// Room for a third of a million mints; a larger file is another one than was meant.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What one look found. Two looks that found the same are equal.
pub(crate) type Look = Result<String, TokenSourceError>;

/// Reads the file; blocks.
pub(crate) fn look(path: &Path) -> Look {
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

/// Opens what is a file and nothing else: a pipe would keep us waiting until somebody writes to it, and a device may do
/// anything. What it is may change between the look and the opening, so it is looked at again, and the opening waits for
/// nobody.
fn open(path: &Path) -> io::Result<File> {
    is_file(fs::metadata(path)?.file_type())?;
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("it is one bit of an int");
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
        // A disk or a network file system that fails now.
        _ => TokenSourceError::Transient { message },
    }
}
