//! The lease on a database file: advisory locks on it and on a file beside it, for as long as the process lives.
//!
//! What makes it sound: the kernel holds a lock by the open file, so a process that is killed gives it up at that moment
//! and one that is stopped keeps it; nothing runs out, and no clock matters. The lock on the database itself is the lease:
//! it is the same under every name of the file (hard links, bind mounts), each of which has a write-ahead log of its own
//! for SQLite. It is one of `flock`, which SQLite's own locks do not see on a local disk. The file beside names the holder,
//! and keeps off earlier versions of this program, which locked nothing else. It is left where it is, because removing it
//! would race with the next process that opens it; deleted by somebody else it is made again.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{LeaseError, StoreError, StoreLease};

/// A lock needs no renewal; this is how soon a file that was deleted is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What another process wrote into the file is shown up to this length.
const LONGEST_HOLDER: u64 = 200;

/// The lease on the database in a file. Each value is a holder of its own; clones are the same one.
#[derive(Clone, Debug)]
pub struct SqliteLease(Arc<Lock>);

#[derive(Debug)]
struct Lock {
    database: PathBuf,
    beside: PathBuf,
    held: Mutex<Option<Held>>,
    /// Never closed before the lease is dropped: with any of its descriptors of a file a process gives up all the locks
    /// that SQLite has on it there.
    opened: Mutex<Option<Arc<File>>>,
    stands: AtomicBool,
}

/// Shared, so that a look at the files, which may hang with their disk, holds no lock.
#[derive(Clone, Debug)]
struct Held {
    database: Arc<File>,
    beside: Arc<File>,
}

/// Where the name of an open file leads now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Same,
    Other,
    Nowhere,
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
        let mut beside = database.clone().into_os_string();
        beside.push(".lock");
        Ok(Self(Arc::new(Lock {
            database,
            beside: beside.into(),
            held: Mutex::default(),
            opened: Mutex::default(),
            stands: AtomicBool::new(false),
        })))
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
        if held.is_some_and(|held| name_of(&held.database, &self.database) == Name::Same) {
            return Ok(());
        }
        self.let_go();
        let beside = self.lock_beside()?;
        let database = self.lock_database()?;
        *self.held() = Some(Held { database, beside });
        self.stands.store(true, Ordering::Release);
        Ok(())
    }

    fn renew(&self) -> Result<(), LeaseError> {
        let Some(held) = self.held().clone() else { return Err(LeaseError::Lost { holder: None }) };
        let what = self.database.display();
        match name_of(&held.database, &self.database) {
            Name::Same => {}
            // Nobody else has the database, and nobody can write to it: a person finds it, or brings it back.
            Name::Nowhere => {
                let message = format!("{what} was deleted or moved away while it was in use");
                return Err(StoreError::corrupt(message).into());
            }
            Name::Other => {
                return Err(LeaseError::Gone { what: format!("{what} was replaced by another file") });
            }
        }
        if name_of(&held.beside, &self.beside) != Name::Same
            && let Ok(beside) = self.lock_beside()
        {
            *self.held() = Some(Held { beside, ..held });
        }
        Ok(())
    }

    /// The file of the database stays open.
    fn let_go(&self) {
        self.stands.store(false, Ordering::Release);
        if let Some(held) = self.held().take() {
            // It fails where nothing is locked any more.
            drop(held.database.unlock());
        }
    }

    /// Locks the file that names the holder, and names this process in it.
    fn lock_beside(&self) -> Result<Arc<File>, LeaseError> {
        loop {
            let mut file = open(&self.beside, true)?;
            lock(&file, &self.beside, || read_holder(&file))?;
            if name_of(&file, &self.beside) != Name::Same {
                // Deleted between opening and locking: the lock is on a file that nobody else will ever open.
                continue;
            }
            // The lock is what counts: what cannot be written, on a full disk say, is missing in a message alone.
            drop(write_holder(&mut file));
            return Ok(Arc::new(file));
        }
    }

    /// Locks the database, which is made empty when there is none, as SQLite would.
    fn lock_database(&self) -> Result<Arc<File>, LeaseError> {
        loop {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            let file = match &*opened {
                Some(file) if name_of(file, &self.database) == Name::Same => file.clone(),
                // One that went away since is missed, never made anew.
                earlier => Arc::new(open(&self.database, earlier.is_none())?),
            };
            lock(&file, &self.database, || {
                let process = holder_by_the_kernel(&file);
                format!("{process}, which opened the database under another name")
            })?;
            *opened = Some(file.clone());
            if name_of(&file, &self.database) == Name::Same {
                return Ok(file);
            }
        }
    }

    /// Every change is one assignment, so a panic elsewhere leaves it whole.
    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path, may_make: bool) -> Result<File, LeaseError> {
    // With the rights that SQLite gives a new database.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(may_make).truncate(false).mode(0o644);
    options.open(path).map_err(|error| failed(path, &error))
}

fn lock(file: &File, path: &Path, holder: impl FnOnce() -> String) -> Result<(), LeaseError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        // The lock is there because its process is.
        Err(TryLockError::WouldBlock) => Err(LeaseError::Held { holder: holder(), until: None }),
        Err(TryLockError::Error(error)) => Err(failed(path, &error)),
    }
}

/// A lock that cannot be taken because of the machine is no lock of another process.
fn failed(path: &Path, error: &io::Error) -> LeaseError {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let full = if full { "the disk is full: " } else { "" };
    let message = format!("{} cannot be used: {full}{error}", path.display());
    match error.kind() {
        // These need a person, and waiting for one says nothing to whoever starts the program.
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::NotFound
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::ReadOnlyFilesystem => StoreError::rejected(message).into(),
        _ => StoreError::transient(message).into(),
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Whether the name still leads to the open file.
fn name_of(file: &File, path: &Path) -> Name {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(named)) if id(&opened) != id(&named) => Name::Other,
        (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => Name::Nowhere,
        // A disk that does not answer says nothing of who holds it.
        _ => Name::Same,
    }
}

/// Which process has the lock on this file, as the kernel shows it.
fn holder_by_the_kernel(file: &File) -> String {
    let inode = file.metadata().map_or(0, |metadata| metadata.ino());
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    // `1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`; the process is 0 when it is in another namespace.
    let process = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|words| {
        let is_it = words.get(1) == Some(&"FLOCK")
            && words.get(5).and_then(|file| file.rsplit(':').next()?.parse().ok()) == Some(inode);
        words.get(4).filter(|process| is_it && **process != "0").map(|process| (*process).to_owned())
    });
    process.map_or_else(|| "a process".to_owned(), |process| format!("process {process}"))
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
    async fn a_hard_link_leads_to_the_same_lease() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("ttm.db"), folder.path().join("link.db"));
        let first = lease(&path);
        first.acquire().await.expect("it is free");
        fs::hard_link(&path, &link).expect("linked");
        let held = lease(&link).acquire().await;
        let Err(LeaseError::Held { holder, until: None }) = held else { panic!("{held:?}") };
        let own = format!("process {}, which opened the database under another name", std::process::id());
        assert_eq!(holder, own);
        first.release().await.expect("given up");
        lease(&link).acquire().await.expect("it is free");
    }

    #[tokio::test]
    async fn a_lock_file_that_is_deleted_under_its_holder_lets_nobody_in_and_is_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ttm.db");
        let (first, second) = (lease(&path), lease(&path));
        first.acquire().await.expect("free");
        for _ in 0..2 {
            fs::remove_file(folder.path().join("ttm.db.lock")).expect("deleted");
            assert!(matches!(second.acquire().await, Err(LeaseError::Held { .. })));
            first.renew().await.expect("the database is where it was");
            let Err(LeaseError::Held { holder, .. }) = second.acquire().await else { panic!("two hold it") };
            assert!(holder.contains(", since "), "the file that was made again names the holder: {holder}");
        }
    }

    #[tokio::test]
    async fn a_database_that_goes_away_is_damage_and_one_that_is_replaced_a_lost_lease() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, elsewhere) = (folder.path().join("ttm.db"), folder.path().join("elsewhere.db"));
        let first = lease(&path);
        first.acquire().await.expect("free");
        fs::rename(&path, &elsewhere).expect("moved");
        for _ in 0..2 {
            let gone = first.renew().await;
            let Err(LeaseError::Store(StoreError::Corrupt { message })) = gone else { panic!("{gone:?}") };
            assert!(message.ends_with("ttm.db was deleted or moved away while it was in use"), "{message}");
        }
        fs::rename(&elsewhere, &path).expect("moved back");
        first.renew().await.expect("it is there again");
        fs::remove_file(&path).expect("deleted");
        fs::write(&path, "").expect("another one");
        let lost = first.renew().await.expect_err("the name leads to another file").to_string();
        assert!(lost.ends_with("ttm.db was replaced by another file"), "{lost}");
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
