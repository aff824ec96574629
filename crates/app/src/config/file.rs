//! Reads a file, or a stream that a person names, as a whole: up to a bound. It knows no format.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Room for more than a million mints. What is larger is another file than was meant, or one without an end.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The text of a file. It may be a pipe, as a shell makes one of `<(command)`.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    File::open(path).and_then(text)
}

/// Why there is no config in a file that could not be read. What `-` means to other programs is no file, and has no folder
/// for relative paths.
pub(super) fn no_config(path: &Path, error: &io::Error) -> String {
    if path == Path::new("-") {
        "standard input is not read, expected a TOML file; one of that name is ./-".to_owned()
    } else {
        format!("cannot be read: {error}; expected a TOML file")
    }
}

/// The text of a stream.
pub(crate) fn text(stream: impl Read) -> io::Result<String> {
    let bytes = bytes(stream, MAX_BYTES)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no text in UTF-8"))
}

/// All of a stream, if that is at most `limit` bytes.
pub(super) fn bytes(stream: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_refused_at_the_bound_and_what_just_fits_is_read() {
        for endless in ["/dev/zero", "/dev/full"] {
            let error = read_text(Path::new(endless)).expect_err("it has no end");
            assert_eq!(error.to_string(), "it is larger than 67108864 bytes");
        }
        assert_eq!(read_text(Path::new("/dev/null")).expect("it is empty"), "");
        assert_eq!(bytes(&b"1234"[..], 4).expect("it fits"), b"1234");
        assert!(bytes(&b"12345"[..], 4).is_err());
        assert_eq!(text(&b"\xff"[..]).expect_err("no text").to_string(), "it is no text in UTF-8");
    }
}
