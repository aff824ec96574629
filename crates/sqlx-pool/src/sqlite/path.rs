//! The path of a database behind the links to it.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where a database is that is opened by this name. As SQLite does it: through every link, also one to a file that is not
/// made yet. What is kept beside a database is beside this one.
///
/// # Errors
/// When a folder on the way is not there.
pub fn resolved(path: &Path) -> io::Result<PathBuf> {
    /// As many links in a row as the kernel follows.
    const LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..=LINKS {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")))?;
        let file = folder.join(name);
        match fs::read_link(&file) {
            Ok(target) => path = folder.join(target),
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(file);
            }
            Err(error) => return Err(error),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}
