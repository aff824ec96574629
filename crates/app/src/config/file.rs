//! Reads a whole file or stream that was named on the command line, up to a size limit, so that `/dev/zero` ends in an
//! error.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Enough for more than a million mints. A larger file is most likely the wrong file, or an endless one.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The text of a file, which may be a pipe such as `<(command)` of a shell.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    File::open(path).and_then(text)
}

/// The message for a config file that cannot be read. `-` is not standard input here: that has no folder for relative paths.
pub(super) fn no_config(path: &Path, error: &io::Error) -> String {
    if path == Path::new("-") {
        "a config is not read from standard input, expected a TOML file; a file of this name is ./-"
            .to_owned()
    } else {
        format!("cannot be read: {error}; expected a TOML file")
    }
}

/// The text of a stream.
pub(crate) fn text(stream: impl Read) -> io::Result<String> {
    let bytes = bytes(stream, MAX_BYTES)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not valid UTF-8"))
}

/// The bytes of a stream, if there are at most `limit`.
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
    fn an_endless_file_is_refused_at_the_limit_and_one_that_just_fits_is_read() {
        for endless in ["/dev/zero", "/dev/full"] {
            let error = read_text(Path::new(endless)).expect_err("it is endless");
            assert_eq!(error.to_string(), "it is larger than 67108864 bytes");
        }
        assert_eq!(read_text(Path::new("/dev/null")).expect("it is empty"), "");
        assert_eq!(bytes(&b"1234"[..], 4).expect("it fits"), b"1234");
        assert!(bytes(&b"12345"[..], 4).is_err());
        assert_eq!(text(&b"\xff"[..]).expect_err("not UTF-8").to_string(), "it is not valid UTF-8");
    }
}
