//! Checks whether a path can be a database without creating or changing anything. Its content is only checked on opening.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use ttm_kernel::StoreError;

use super::file::has_one_name;
use super::{OpenError, store_error};

/// The first bytes of every database, see <https://www.sqlite.org/fileformat.html>; an empty file may become one.
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Checks an existing database, or the folder in which one would be created.
///
/// # Errors
/// What opening it would fail with.
pub fn check(path: &Path) -> Result<(), OpenError> {
    has_one_name(path).map_err(|error| unusable(path, store_error(error)))?;
    // Nothing is written; SQLite opens it the same way.
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => {
            let mut header = Vec::new();
            file.take(HEADER.len() as u64)
                .read_to_end(&mut header)
                .map_err(|error| unavailable(path, error))?;
            if header.is_empty() || header == HEADER {
                Ok(())
            } else {
                Err(unusable(path, StoreError::corrupt("file is not a database")))
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            may_be_made(path).map_err(|error| unavailable(path, error))
        }
        Err(error) => Err(unavailable(path, error)),
    }
}

/// Whether files can be created in the folder of a path, or in its nearest existing ancestor.
fn may_be_made(path: &Path) -> io::Result<()> {
    let above = path
        .ancestors()
        .skip(1)
        .map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let Some(folder) = above.into_iter().find(|folder| folder.exists()) else { return Ok(()) };
    let refused = |why: &str| Err(io::Error::other(format!("{} {why}", folder.display())));
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return refused("may not be written to");
    }
    if statvfs(folder)?.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return refused("is read-only");
    }
    Ok(())
}

fn unusable(path: &Path, error: StoreError) -> OpenError {
    OpenError::Store { path: path.to_path_buf(), error }
}

fn unavailable(path: &Path, error: io::Error) -> OpenError {
    let error = StoreError::transient(error.to_string()).with_source(error);
    OpenError::Unavailable { path: path.to_path_buf(), error }
}
