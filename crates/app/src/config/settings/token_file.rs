//! Reads the file of the bearer token. A token that no request could match, or that other users can read, is refused.

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

/// The token, without a byte order mark and without white space around it.
///
/// # Errors
/// The error, with the name of the file and without its content.
pub(crate) fn read(path: &Path) -> Result<SecretString, String> {
    let name = path.display();
    let unreadable = |error: std::io::Error| {
        format!("{name}, which cannot be read: {error}; expected a file with one long token")
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(format!("{name}, which is not a small file; expected a file with one long token"));
    }
    if others_may_read(path, &metadata) {
        let mode = metadata.permissions().mode() & 0o777;
        return Err(format!("{name}, which has mode {mode:o}, so other users can read: chmod 600 {name}"));
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    let bytes = file::bytes(file, MAX_BYTES).map_err(unreadable)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let token = bytes.trim_ascii();
    let problem = if token.is_empty() {
        "is empty".to_owned()
    } else if !token.iter().all(u8::is_ascii_graphic) {
        "contains white space or characters that are not printable ASCII".to_owned()
    } else if token.len() < MIN_TOKEN {
        format!("has fewer than {MIN_TOKEN} characters")
    } else {
        return Ok(String::from_utf8_lossy(token).into_owned().into());
    };
    Err(format!("{name}, which {problem}; expected a file with one long token"))
}

/// Whether other users can read the file. Its group may if it belongs to root: packaged services that run as another user
/// get their secrets that way.
fn others_may_read(path: &Path, metadata: &fs::Metadata) -> bool {
    let managed = path.canonicalize().is_ok_and(|path| MANAGED.iter().any(|folder| path.starts_with(folder)));
    let of_root_for_us = metadata.uid() == 0 && !rustix::process::geteuid().is_root();
    let allowed = if of_root_for_us { 0o740 } else { 0o700 };
    !managed && metadata.permissions().mode() & 0o777 & !allowed != 0
}
