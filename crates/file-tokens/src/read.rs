//! One look at the file, and what a failure of it means. It does not know what the text says.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use ttm_market::TokenSourceError;

/// Room for a third of a million mints; a larger file is another one than was meant.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What one look found. Two looks that found the same are equal.
pub(crate) type Look = Result<String, TokenSourceError>;

/// Reads the file; blocks.
pub(crate) fn look(path: &Path) -> Look {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| of_io(path, &error))?;
    if text.len() as u64 > MAX_BYTES {
        let message =
            format!("{}: is larger than {MAX_BYTES} bytes, expected one mint a line", path.display());
        return Err(TokenSourceError::Unusable { message });
    }
    Ok(text)
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
