//! The lease on a database file: advisory locks on it and on a file beside it, for as long as the process lives.
//!
//! What makes it sound: the kernel ties a lock to the open file, so a process that is killed releases it at that moment and
//! one that is stopped keeps it; it never expires, and no clock is involved. The lock on the database itself is the lease:
//! it is the same under every name of the file (hard links, bind mounts), for each of which SQLite keeps a separate
//! write-ahead log. It is a `flock` lock, which does not interact with SQLite's own locks on a local disk. The file beside
//! the database names the holder, and keeps out earlier versions of this program, which locked only that file. It is never
//! removed, because that would race with the next process that opens it; if something else deletes it, it is recreated.
//!
//! Where a descriptor is opened, and what closes it:
//! - The database's, in [`Lock::lock_database`]: only the end of the process. SQLite's own locks are POSIX locks, and a process
//!   loses all of its POSIX locks on a file when it closes any descriptor of that file. Whether SQLite has the file open, now or
//!   after a failed attempt, is not known here, so no descriptor is ever closed: there is one for each file that the name has
//!   led to, and its lock is released explicitly.
//! - The lock file's, in [`Lock::lock_beside`]: SQLite does not use that file, so closing it releases this lock and no other. It
//!   is closed if the lock is not granted or the file has been deleted, when the lease is released, and when the file is
//!   recreated, once the new one is locked.
//!
//! Child processes inherit none of them: the standard library opens all files with close-on-exec.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use ttm_kernel::{LeaseError, StoreError, StoreLease};
use ttm_sqlx_pool::sqlite::{PUT_BACK, resolved};

/// A lock needs no renewal; this is how soon a deleted file is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Text that another process wrote into the file is shown up to this length.
const LONGEST_HOLDER: u64 = 200;

/// The lease on a database file. Each value is a separate holder; clones are the same one.
#[derive(Clone, Debug)]
pub struct SqliteLease(Arc<Lock>);

#[derive(Debug)]
struct Lock {
    database: PathBuf,
    beside: PathBuf,
    /// Locked for a whole call, on a thread that may block. A call that its caller has abandoned, say because the disk hangs,
    /// still runs to its end: the next call must neither find its locks taken nor be undone by it.
    state: Mutex<State>,
    /// Whether the database's lock is held; read without waiting.
    stands: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// Every file of the database that was ever opened.
    opened: Vec<&'static File>,
}

#[derive(Debug)]
struct Held {
    database: &'static File,
    beside: File,
}

/// Where the name of an open file leads now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Same,
    Other,
    Nowhere,
}

impl SqliteLease {
    /// The lease on this database, which need not exist yet, though its folder must. Locks nothing yet. Every path to the same
    /// file gives the same lease.
    ///
    /// # Errors
    /// If the folder does not exist.
    pub fn new(database: &Path) -> io::Result<Self> {
        let database = resolved(database)?;
        let mut beside = database.clone().into_os_string();
        beside.push(".lock");
        let (beside, state, stands) = (beside.into(), Mutex::default(), AtomicBool::new(false));
        Ok(Self(Arc::new(Lock { database, beside, state, stands })))
    }

    /// The path of the database after following all links.
    pub fn database(&self) -> &Path {
        &self.0.database
    }

    /// Who holds it, as far as known without taking it; only for messages.
    pub fn holder(&self) -> Option<String> {
        let beside = File::open(&self.0.beside).ok()?;
        locked_by(&beside).is_some().then(|| read_holder(&beside))
    }

    /// Runs a call that may wait for the disk on a thread that may block.
    #[expect(clippy::disallowed_methods, reason = "an adapter: a disk that hangs must hang nothing else")]
    async fn off_thread<E: From<StoreError> + Send + 'static>(
        &self,
        call: impl FnOnce(&Lock) -> Result<(), E> + Send + 'static,
    ) -> Result<(), E> {
        let lock = self.0.clone();
        let done = tokio::task::spawn_blocking(move || call(&lock)).await;
        done.unwrap_or_else(|error| Err(StoreError::transient(error.to_string()).with_source(error).into()))
    }
}

impl Lock {
    fn acquire(&self) -> Result<(), LeaseError> {
        let mut state = self.state.lock();
        if let Some(held) = &mut state.held {
            return self.look(held);
        }
        let beside = self.lock_beside()?;
        let database = self.lock_database(&mut state.opened)?;
        state.held = Some(Held { database, beside });
        self.stands.store(true, Ordering::Release);
        Ok(())
    }

    fn renew(&self) -> Result<(), LeaseError> {
        match &mut self.state.lock().held {
            Some(held) => self.look(held),
            None => Err(LeaseError::Lost { holder: None }),
        }
    }

    /// Checks that the files are still where they were. The locks are kept whatever it finds, since SQLite may have the files
    /// open.
    fn look(&self, held: &mut Held) -> Result<(), LeaseError> {
        let what = self.database.display();
        match name_of(held.database, &self.database) {
            Name::Same => {}
            // No other process has the database or can write to it: an operator has to restore it.
            Name::Nowhere => {
                let message = format!("{what} was deleted or moved away while it was in use");
                return Err(StoreError::corrupt(message).with_advice(PUT_BACK).into());
            }
            Name::Other => {
                return Err(LeaseError::Gone { what: format!("{what} was replaced by another file") });
            }
        }
        if name_of(&held.beside, &self.beside) != Name::Same
            && let Ok(beside) = self.lock_beside()
        {
            held.beside = beside;
        }
        Ok(())
    }

    fn let_go(&self, state: &mut State) {
        self.stands.store(false, Ordering::Release);
        if let Some(held) = state.held.take() {
            // Fails if nothing is locked any more.
            drop(held.database.unlock());
        }
    }

    /// Locks the file that names the holder, and writes this process's name into it.
    fn lock_beside(&self) -> Result<File, LeaseError> {
        loop {
            let mut file = open(&self.beside, true)?;
            lock(&file, &self.beside, || read_holder(&file))?;
            if name_of(&file, &self.beside) != Name::Same {
                // Deleted between opening and locking: no other process will ever open the file that is locked.
                continue;
            }
            // Only the lock matters: if the name cannot be written, say on a full disk, it is just missing from messages.
            drop(write_holder(&mut file));
            return Ok(file);
        }
    }

    /// Locks the database, creating an empty one if there is none, as SQLite would.
    fn lock_database(&self, opened: &mut Vec<&'static File>) -> Result<&'static File, LeaseError> {
        loop {
            let known = opened.iter().rev().find(|file| name_of(file, &self.database) == Name::Same);
            let file = if let Some(file) = known {
                *file
            } else {
                // A database that has disappeared is reported, never recreated.
                let file: &'static File = Box::leak(Box::new(open(&self.database, opened.is_empty())?));
                opened.push(file);
                file
            };
            lock(file, &self.database, || {
                let process = holder_by_the_kernel(file);
                format!("{process}, which opened the database under another name")
            })?;
            if name_of(file, &self.database) == Name::Same {
                return Ok(file);
            }
            // Moved away between opening and locking: other processes may use it under its new name.
            drop(file.unlock());
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = std::mem::take(&mut *self.state.lock());
        self.let_go(&mut state);
    }
}

fn open(path: &Path, may_make: bool) -> Result<File, LeaseError> {
    // With the permissions that SQLite gives a new database.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(may_make).truncate(false).mode(0o644);
    options.open(path).map_err(|error| failed(path, error))
}

fn lock(file: &File, path: &Path, holder: impl FnOnce() -> String) -> Result<(), LeaseError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        // The lock exists, so its process does.
        Err(TryLockError::WouldBlock) => Err(LeaseError::Held { holder: holder(), until: None }),
        Err(TryLockError::Error(error)) => Err(failed(path, error)),
    }
}

/// The lock cannot be taken because of the file system, not because another process holds it.
fn failed(path: &Path, error: io::Error) -> LeaseError {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let full = if full { "the disk is full: " } else { "" };
    let message = format!("{} cannot be used: {full}{error}", path.display());
    let failed = match error.kind() {
        // These need an operator, and waiting at the start would not tell one.
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::NotFound
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::ReadOnlyFilesystem => StoreError::rejected(message),
        _ => StoreError::transient(message),
    };
    failed.with_source(error).into()
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Whether the name still leads to the open file.
fn name_of(file: &File, path: &Path) -> Name {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(named)) if id(&opened) != id(&named) => Name::Other,
        (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => Name::Nowhere,
        // A disk that does not respond says nothing about the holder.
        _ => Name::Same,
    }
}

/// Which process holds the lock on this file, according to the kernel.
fn holder_by_the_kernel(file: &File) -> String {
    let process = locked_by(file).filter(|process| process != "0");
    process.map_or_else(|| "a process".to_owned(), |process| format!("process {process}"))
}

/// The id of the process that holds the lock on this file; 0 if it is in another namespace.
fn locked_by(file: &File) -> Option<String> {
    let inode = file.metadata().map_or(0, |metadata| metadata.ino());
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    // `1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`
    locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|words| {
        let is_it = words.get(1) == Some(&"FLOCK")
            && words.get(5).and_then(|file| file.rsplit(':').next()?.parse().ok()) == Some(inode);
        words.get(4).filter(|_| is_it).map(|process| (*process).to_owned())
    })
}

#[expect(clippy::disallowed_methods, reason = "for the person who reads the refusal of a second process")]
fn write_holder(file: &mut File) -> io::Result<()> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "this machine" } else { host.trim() };
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {} on {host}, since {:.0}", std::process::id(), Timestamp::now())
}

/// The holder's name from the file, without trusting what is written there.
fn read_holder(file: &File) -> String {
    let mut bytes = Vec::new();
    drop(file.take(LONGEST_HOLDER).read_to_end(&mut bytes));
    let text: String = String::from_utf8_lossy(&bytes).chars().filter(|each| !each.is_control()).collect();
    if text.is_empty() { "an unidentified process".to_owned() } else { text }
}

#[async_trait]
impl StoreLease for SqliteLease {
    async fn acquire(&self) -> Result<(), LeaseError> {
        self.off_thread(Lock::acquire).await
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        self.off_thread(Lock::renew).await
    }

    async fn release(&self) -> Result<(), StoreError> {
        self.off_thread(|lock| {
            lock.let_go(&mut lock.state.lock());
            Ok(())
        })
        .await
    }

    fn stands(&self) -> bool {
        self.0.stands.load(Ordering::Acquire)
    }

    fn renew_every(&self) -> Duration {
        LOOK_EVERY
    }
}

#[cfg(test)]
mod tests;
