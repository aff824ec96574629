//! The file and its folder: opening, bounded reads, writes that are on the disk when they return.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::OFlags;

/// Opens it for reading.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    regular(options().read(true).open(path)?)
}

/// Opens it for reading and writing; creates it for this user alone.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    regular(options().read(true).write(true).create(true).mode(0o600).open(path)?)
}

/// A pipe that is opened waits for its other end, unless it is opened like this.
fn options() -> OpenOptions {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag fits into an int");
    let mut options = OpenOptions::new();
    options.custom_flags(flags);
    options
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(ErrorKind::InvalidData, "it is not a regular file"))
}

/// Everything in it.
pub(crate) fn content(file: &File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = format!("it is larger than {most} bytes, so it is not a journal");
        return Err(io::Error::new(ErrorKind::InvalidData, what));
    }
    Ok(bytes)
}

/// Writes this after the first `keep` bytes. If that fails, these alone are left, as far as the disk still does anything.
pub(crate) fn replace_tail(file: &File, keep: u64, tail: &[u8]) -> io::Result<()> {
    file.set_len(keep)?;
    let written = file.write_all_at(tail, keep).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = file.set_len(keep).and_then(|()| file.sync_all());
    }
    written
}

/// Makes the names in its folder outlive a power failure.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Removes it, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives it a name with the time of its last change, and with a number if another file has that name already.
pub(crate) fn rename_by_time(path: &Path) -> io::Result<()> {
    let changed = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.modified()?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let time = Timestamp::try_from(changed).map_err(io::Error::other)?.strftime("%Y%m%dT%H%M%SZ");
    let named = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(if number == 1 { format!(".{time}") } else { format!(".{time}-{number}") });
        PathBuf::from(name)
    };
    for name in (1..).map(named) {
        match fs::symlink_metadata(&name) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::rename(path, name)?;
                return sync_folder(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
