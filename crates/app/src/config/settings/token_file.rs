//! The file of the bearer token: read, and refused where a request could never match it or others may know it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use secrecy::SecretString;

use crate::config::file;

/// Shorter ones are guessed.
const MIN_TOKEN: usize = 16;
/// Nobody's token is longer; a larger file is another one than was meant.
const MAX_BYTES: u64 = 64 * 1024;
/// Here the service manager decides who may read a file, and its mode says nothing.
const MANAGED: [&str; 2] = ["/run/credentials/", "/run/secrets/"];

/// The token, without the byte order mark and the line end that an editor leaves.
///
/// # Errors
/// What is wrong with the file, which is named; its content is not.
pub(crate) fn read(path: &Path) -> Result<SecretString, String> {
    let name = path.display();
    let unreadable = |error: std::io::Error| {
        format!("{name}, which cannot be read: {error}; expected a file with one long token")
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(format!("{name}, which is no small file; expected a file with one long token"));
    }
    if others_may_read(path, &metadata) {
        let mode = metadata.permissions().mode() & 0o777;
        return Err(format!("{name}, which has mode {mode:o}, so that others may read: chmod 600 {name}"));
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    let bytes = file::bytes(file, MAX_BYTES).map_err(unreadable)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let token = bytes.trim_ascii();
    let problem = if token.is_empty() {
        "is empty".to_owned()
    } else if !token.iter().all(u8::is_ascii_graphic) {
        "holds white space or what is no printable ASCII".to_owned()
    } else if token.len() < MIN_TOKEN {
        format!("holds fewer than {MIN_TOKEN} characters")
    } else {
        return Ok(String::from_utf8_lossy(token).into_owned().into());
    };
    Err(format!("{name}, which {problem}; expected a file with one long token"))
}

/// Whether the mode lets anybody else in. The group may read what belongs to root: that is how a packaged service that
/// runs as another user gets its secrets.
fn others_may_read(path: &Path, metadata: &fs::Metadata) -> bool {
    let managed = path.canonicalize().is_ok_and(|path| MANAGED.iter().any(|folder| path.starts_with(folder)));
    let of_root_for_us = metadata.uid() == 0 && !rustix::process::geteuid().is_root();
    let allowed = if of_root_for_us { 0o740 } else { 0o700 };
    !managed && metadata.permissions().mode() & 0o777 & !allowed != 0
}
