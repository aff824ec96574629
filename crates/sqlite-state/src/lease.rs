//! The lease on a database file: an advisory lock on a file beside it, for as long as the process lives.
//!
//! What makes it sound: the kernel holds the lock by the open file, so a process that is killed gives it up at that moment
//! and one that is stopped keeps it; nothing runs out, and no clock matters. The file is locked, never its name: a lock on
//! a file that was deleted or replaced meanwhile is given up and taken anew. The lock file is left where it is, because
//! removing it would race with the next process that opens it.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{LeaseError, StoreError, StoreLease};

/// A lock needs no renewal; this is how soon a lock file that was deleted is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What another process wrote into the file is shown up to this length.
const LONGEST_HOLDER: u64 = 200;

/// The lease on the database in a file. Each value is a holder of its own; clones are the same one.
#[derive(Clone, Debug)]
pub struct SqliteLease(Arc<Lock>);

#[derive(Debug)]
struct Lock {
    path: PathBuf,
    /// Shared, so that a look at the file, which may hang with its disk, holds no lock.
    held: Mutex<Option<Arc<File>>>,
    stands: AtomicBool,
}

impl SqliteLease {
    /// The lease on this database, which need not exist yet; its folder must. Nothing is locked yet. Every path to the same
    /// file gives the same lease.
    ///
    /// # Errors
    /// When the folder is not there.
    pub fn new(database: &Path) -> io::Result<Self> {
        let database = fs::canonicalize(database).or_else(|_| {
            let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
            let name = database.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
            Ok::<_, io::Error>(fs::canonicalize(folder.unwrap_or(Path::new(".")))?.join(name))
        })?;
        let mut path = database.into_os_string();
        path.push(".lock");
        Ok(Self(Arc::new(Lock { path: path.into(), held: Mutex::default(), stands: AtomicBool::new(false) })))
    }

    /// A call that may wait for the disk, off the threads that must not.
    #[expect(clippy::disallowed_methods, reason = "an adapter: a disk that hangs must hang nothing else")]
    async fn off_thread<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Lock) -> Result<T, LeaseError> + Send + 'static,
    ) -> Result<T, LeaseError> {
        let lock = self.0.clone();
        let done = tokio::task::spawn_blocking(move || call(&lock)).await;
        done.unwrap_or_else(|error| Err(StoreError::transient(error.to_string()).into()))
    }
}

impl Lock {
    fn acquire(&self) -> Result<(), LeaseError> {
        let held = self.held().clone();
        if held.is_some_and(|file| self.is_there(&file)) {
            return Ok(());
        }
        self.let_go();
        loop {
            let mut file = self.open()?;
            match file.try_lock() {
                Ok(()) => {}
                // The lock is there because its process is.
                Err(TryLockError::WouldBlock) => {
                    return Err(LeaseError::Held { holder: read_holder(&file), until: None });
                }
                Err(TryLockError::Error(error)) => return Err(self.failed(&error)),
            }
            if !self.is_there(&file) {
                // Deleted between opening and locking: the lock is on a file that nobody else will ever open.
                continue;
            }
            // The lock is what counts: what cannot be written, on a full disk say, is missing in a message alone.
            drop(write_holder(&mut file));
            *self.held() = Some(Arc::new(file));
            self.stands.store(true, Ordering::Release);
            return Ok(());
        }
    }

    fn renew(&self) -> Result<(), LeaseError> {
        let held = self.held().clone();
        match held {
            Some(file) if self.is_there(&file) => Ok(()),
            Some(_) => Err(LeaseError::Lost {
                holder: Some(format!(
                    "{} was deleted or replaced; whoever made the new one",
                    self.path.display()
                )),
            }),
            None => Err(LeaseError::Lost { holder: None }),
        }
    }

    /// Closing the file gives up the lock.
    fn let_go(&self) {
        self.stands.store(false, Ordering::Release);
        *self.held() = None;
    }

    fn open(&self) -> Result<File, LeaseError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path);
        file.map_err(|error| self.failed(&error))
    }

    /// A lock that cannot be taken because of the machine is no lock of another process.
    fn failed(&self, error: &io::Error) -> LeaseError {
        let message = format!("the lock file {} cannot be used: {error}", self.path.display());
        match error.kind() {
            // These need a person, and waiting for one says nothing to whoever starts the program.
            io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound | io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::rejected(message).into()
            }
            _ => StoreError::transient(message).into(),
        }
    }

    /// Whether the name still leads to the file that is locked.
    fn is_there(&self, file: &File) -> bool {
        let id = |metadata: &Metadata| (metadata.dev(), metadata.ino());
        match (file.metadata(), fs::metadata(&self.path)) {
            (Ok(locked), Ok(named)) => id(&locked) == id(&named),
            // A disk that does not answer says nothing of who holds it.
            (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
            (Err(_), _) => true,
        }
    }

    /// Every change is one assignment, so a panic elsewhere leaves it whole.
    fn held(&self) -> MutexGuard<'_, Option<Arc<File>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "for the person who reads the refusal of a second process")]
fn write_holder(file: &mut File) -> io::Result<()> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "this machine" } else { host.trim() };
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {} on {host}, since {:.0}", std::process::id(), Timestamp::now())
}

/// Who says that it holds the lock, of what anyone can have written there.
fn read_holder(file: &File) -> String {
    let mut bytes = Vec::new();
    drop(file.take(LONGEST_HOLDER).read_to_end(&mut bytes));
    let text: String = String::from_utf8_lossy(&bytes).chars().filter(|each| !each.is_control()).collect();
    if text.is_empty() { "it did not say which".to_owned() } else { text }
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
        self.0.let_go();
        Ok(())
    }

    fn stands(&self) -> bool {
        self.0.stands.load(Ordering::Acquire)
    }

    fn renew_every(&self) -> Duration {
        LOOK_EVERY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(path: &Path) -> SqliteLease {
        SqliteLease::new(path).expect("the folder is there")
    }

    #[tokio::test]
    async fn a_lock_obeys_every_law() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.db");
        ttm_kernel::testing::check_lease(async || Box::new(lease(&path)) as Box<dyn StoreLease>).await;
    }

    #[tokio::test]
    async fn the_refusal_names_the_holder_and_promises_no_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.db");
        let first = lease(&path);
        first.acquire().await.expect("it is free");
        let held = lease(&path).acquire().await;
        let Err(LeaseError::Held { holder, until: None }) = held else { panic!("{held:?}") };
        assert!(holder.starts_with(&format!("process {} on ", std::process::id())), "{holder}");
    }

    #[tokio::test]
    async fn every_path_to_the_same_file_is_the_same_lease() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.db");
        fs::write(&path, "").expect("written");
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        lease(&path).acquire().await.expect("free");
        let holder = lease(&path);
        holder.acquire().await.expect("the first one was dropped");
        assert!(matches!(lease(&link).acquire().await, Err(LeaseError::Held { .. })));
        assert!(matches!(
            lease(&folder.path().join("./ttm.db")).acquire().await,
            Err(LeaseError::Held { .. })
        ));
    }

    #[tokio::test]
    async fn a_lock_file_that_is_deleted_under_its_holder_is_a_lost_lease() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.db");
        let (first, second) = (lease(&path), lease(&path));
        first.acquire().await.expect("free");
        fs::remove_file(folder.path().join("ttm.db.lock")).expect("deleted");
        second.acquire().await.expect("a new file");
        assert!(matches!(first.renew().await, Err(LeaseError::Lost { holder: Some(_) })));
        second.renew().await.expect("it has the one that is there");
    }

    #[tokio::test]
    async fn what_another_wrote_into_the_file_is_shown_without_its_control_characters() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.db");
        let holder = lease(&path);
        holder.acquire().await.expect("free");
        fs::write(folder.path().join("ttm.db.lock"), b"\x1b[31mred\n\xff").expect("written");
        let Err(LeaseError::Held { holder: told, .. }) = lease(&path).acquire().await else {
            panic!("two hold it")
        };
        assert_eq!(told, "[31mred\u{fffd}");
    }
}
