//! The guarantees of the lease to one process and to two, and its effect on SQLite's own locks.

use super::*;
use crate::SqliteTokenStore;
use ttm_kernel::StoreErrorKind;
use ttm_market::TokenStore as _;

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
async fn the_refusal_names_the_holder_and_no_expiry() {
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
    assert!(matches!(lease(&folder.path().join("./ttm.db")).acquire().await, Err(LeaseError::Held { .. })));
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
async fn a_deleted_lock_file_admits_no_other_process_and_is_recreated() {
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
async fn a_database_that_disappears_is_corrupt_and_one_that_is_replaced_is_a_lost_lease() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, elsewhere) = (folder.path().join("ttm.db"), folder.path().join("elsewhere.db"));
    let first = lease(&path);
    first.acquire().await.expect("free");
    fs::rename(&path, &elsewhere).expect("moved");
    for _ in 0..2 {
        let gone = first.renew().await;
        let Err(LeaseError::Store(error)) = gone else { panic!("{gone:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        let what = "ttm.db was deleted or moved away while it was in use; put the original file back";
        assert!(error.said().contains(what), "{error}");
    }
    fs::rename(&elsewhere, &path).expect("moved back");
    first.renew().await.expect("it is there again");
    fs::remove_file(&path).expect("deleted");
    fs::write(&path, "").expect("another one");
    let lost = first.renew().await.expect_err("the name leads to another file").to_string();
    assert!(lost.ends_with("ttm.db was replaced by another file"), "{lost}");
}

#[tokio::test]
async fn the_holder_is_shown_without_control_characters() {
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

/// Whether there are locks of SQLite's kind on a file, as the kernel shows it.
fn sqlite_has_locks(file: &Path) -> bool {
    /// While others lock and unlock, the kernel's list may leave some out, but not time after time.
    const LOOKS: usize = 100;
    let inode = fs::metadata(file).expect("it is there").ino().to_string();
    let is_it = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words[1] == "POSIX" && words.get(5).is_some_and(|file| file.rsplit(':').next() == Some(&inode))
    };
    (0..LOOKS).any(|_| fs::read_to_string("/proc/locks").expect("the kernel shows them").lines().any(is_it))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_end_of_a_lease_takes_the_locks_of_sqlite_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ttm.db");
    let first = lease(&path);
    first.acquire().await.expect("it is free");
    let store = SqliteTokenStore::open(&path).await.expect("it opens");
    assert!(sqlite_has_locks(&path), "it keeps one while it has the file open");

    // With the file beside deleted an attempt gets as far as the database, and no further.
    fs::remove_file(folder.path().join("ttm.db.lock")).expect("deleted");
    let refused = lease(&path);
    assert!(matches!(refused.acquire().await, Err(LeaseError::Held { .. })));
    assert!(sqlite_has_locks(&path), "after an attempt that was refused");
    drop(refused);
    assert!(sqlite_has_locks(&path), "after its end");
    first.release().await.expect("released");
    assert!(sqlite_has_locks(&path), "after a release");
    first.acquire().await.expect("it is free");
    drop(first);
    assert!(sqlite_has_locks(&path), "after the end of the holder");
    lease(&path).acquire().await.expect("it is free");
    store.close().await;
    assert!(!sqlite_has_locks(&path));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_replaced_keeps_the_locks_on_the_one_that_is_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, elsewhere) = (folder.path().join("ttm.db"), folder.path().join("elsewhere.db"));
    let holder = lease(&path);
    holder.acquire().await.expect("it is free");
    let store = SqliteTokenStore::open(&path).await.expect("it opens");
    assert!(sqlite_has_locks(&path));
    fs::rename(&path, &elsewhere).expect("moved");
    fs::write(&path, "").expect("another one");
    for _ in 0..2 {
        let again = holder.acquire().await;
        assert!(matches!(again, Err(LeaseError::Gone { .. })), "acquire is the same as renew: {again:?}");
        assert!(matches!(lease(&elsewhere).acquire().await, Err(LeaseError::Held { .. })));
        assert!(sqlite_has_locks(&elsewhere));
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_lease_that_overlap_follow_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ttm.db");
    let own = lease(&path);
    let call = |which: u32| {
        let own = own.clone();
        async move {
            match which {
                0 => own.acquire().await,
                1 => own.renew().await,
                _ => own.release().await.map_err(LeaseError::from),
            }
        }
    };
    for round in 0..300 {
        // As when a call was given up, because the disk hung, and the next one is made.
        let (first, second) = tokio::join!(call(0), call(0));
        for acquired in [first, second] {
            acquired.unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
        fs::remove_file(folder.path().join("ttm.db.lock")).expect("deleted");
        // It was held when it was renewed, or not any more.
        let (_, released) = tokio::join!(call(1), call(2));
        released.expect("released");
        assert!(!own.stands());
        assert!(matches!(own.renew().await, Err(LeaseError::Lost { .. })), "round {round}: it was released");
        let other = lease(&path);
        other.acquire().await.unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
}

#[tokio::test]
async fn a_link_to_a_database_that_is_not_made_yet_leads_to_the_same_lease() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, link) = (folder.path().join("disk/ttm.db"), folder.path().join("link.db"));
    fs::create_dir(folder.path().join("disk")).expect("made");
    std::os::unix::fs::symlink("disk/ttm.db", &link).expect("linked");
    let first = lease(&link);
    first.acquire().await.expect("it is free");
    let held = lease(&path).acquire().await;
    let Err(LeaseError::Held { holder, .. }) = held else { panic!("{held:?}") };
    assert!(holder.contains(", since "), "the same file beside names the holder: {holder}");
}
