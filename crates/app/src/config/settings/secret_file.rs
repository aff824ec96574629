//! Reads files with one secret: the bearer token of the API, and what channels of alerts need. A file that other users can read
//! is refused, and so is a token that no request could match.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use secrecy::SecretString;

use crate::config::file;

/// Shorter tokens could be guessed.
const MIN_TOKEN: usize = 16;
/// A larger file is most likely the wrong file.
const MAX_BYTES: u64 = 64 * 1024;
/// Folders where a service manager controls access, whatever the mode of a file says.
const MANAGED: [&str; 2] = ["/run/credentials/", "/run/secrets/"];

/// The token of the API, without a byte order mark and without white space around it.
///
/// # Errors
/// The error, with the name of the file and without its content.
pub(crate) fn read_token(path: &Path) -> Result<SecretString, String> {
    read(path, "a file with one long token", |token| {
        if !token.iter().all(u8::is_ascii_graphic) {
            Some("contains white space or characters that are not printable ASCII".to_owned())
        } else if token.len() < MIN_TOKEN {
            Some(format!("has fewer than {MIN_TOKEN} characters"))
        } else {
            None
        }
    })
}

/// Any other secret: one line, without white space around it.
///
/// # Errors
/// The error, with the name of the file and without its content.
pub(super) fn read_secret(path: &Path) -> Result<SecretString, String> {
    read(path, "a file with one line", |secret| match std::str::from_utf8(secret) {
        Err(_) => Some("is not valid UTF-8".to_owned()),
        Ok(text) => text
            .contains(char::is_control)
            .then(|| "has more than one line, or control characters".to_owned()),
    })
}

fn read(
    path: &Path,
    expected: &str,
    problem: impl Fn(&[u8]) -> Option<String>,
) -> Result<SecretString, String> {
    let name = path.display();
    let unreadable =
        |error: std::io::Error| format!("{name}, which cannot be read: {error}; expected {expected}");
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(format!("{name}, which is not a small file; expected {expected}"));
    }
    if others_may_read(path, &metadata) {
        let mode = metadata.permissions().mode() & 0o777;
        return Err(format!("{name}, which has mode {mode:o}, so other users can read: chmod 600 {name}"));
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    let bytes = file::bytes(file, MAX_BYTES).map_err(unreadable)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let secret = bytes.trim_ascii();
    let problem = if secret.is_empty() { Some("is empty".to_owned()) } else { problem(secret) };
    match problem {
        Some(problem) => Err(format!("{name}, which {problem}; expected {expected}")),
        None => Ok(String::from_utf8_lossy(secret).into_owned().into()),
    }
}

/// Whether other users can read the file. Its group may if it belongs to root: packaged services that run as another user
/// get their secrets that way.
fn others_may_read(path: &Path, metadata: &fs::Metadata) -> bool {
    let managed = path.canonicalize().is_ok_and(|path| MANAGED.iter().any(|folder| path.starts_with(folder)));
    let of_root_for_us = metadata.uid() == 0 && !rustix::process::geteuid().is_root();
    let allowed = if of_root_for_us { 0o740 } else { 0o700 };
    !managed && metadata.permissions().mode() & 0o777 & !allowed != 0
}
