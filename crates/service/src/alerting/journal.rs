//! What was told from memory while the store was away, beside the store and in memory: a process that follows this one, and
//! a desk that has read the store at last, know of it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use ttm_alert::{AlertJournal, Journal, Journalled, OutboxRow, Outcome};

use crate::local_file::LocalFile;

/// A disk that takes longer keeps no message from being sent.
const PATIENCE: Duration = Duration::from_millis(300);
/// Reading and clearing may take longer: nothing waits for it.
const LONG: Duration = Duration::from_secs(5);

/// A disk that was late so often may hang: what an earlier process told is told again rather than nothing.
const MOST_LATE: u32 = 2;

/// How many attempts are remembered: of a store that is away for weeks the newest ones.
const MOST: usize = 1_000;

/// The journal.
pub(crate) struct Told {
    file: LocalFile<dyn AlertJournal>,
    /// How much was ever added.
    added: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Since the last time that it was cleared.
    sent: Vec<Journalled>,
    /// Whether there may be something in the file.
    in_file: bool,
    /// Whether what the file has is among it. Until then the file is not cleared.
    is_read: bool,
    /// How often the disk was late.
    late: u32,
    has_failed: bool,
}

impl Told {
    pub(crate) fn new(file: LocalFile<dyn AlertJournal>) -> Self {
        Self { file, added: AtomicU64::new(0), kept: Mutex::default() }
    }

    /// Keeps that a message is sent, or what became of it.
    pub(crate) async fn append(&self, row: &OutboxRow, outcome: Option<&Outcome>) {
        let sent = Journalled { row: row.clone(), outcome: outcome.cloned() };
        self.added.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept.lock().await;
        kept.add([sent.clone()]);
        let appended = self.file.call(PATIENCE, move |port| port.append(&sent)).await;
        kept.in_file |= appended.is_some();
        if let Some(Err(error)) = appended
            && !std::mem::replace(&mut kept.has_failed, true)
        {
            tracing::warn!(%error, "what is told while the store is away cannot be kept: the next process may tell it again");
        }
    }

    /// Reads what an earlier process told, unless it is known. Says whether to go on with what is known now: not while a disk takes its
    /// time, since nothing is lost there, unless it does so again and again.
    pub(crate) async fn read(&self) -> bool {
        if self.kept.lock().await.is_read {
            return true;
        }
        // Without the lock: what is told meanwhile is sent, and waits for no disk.
        let read = self.file.call(LONG, AlertJournal::read).await;
        let mut kept = self.kept.lock().await;
        match read {
            None => kept.is_read = true,
            Some(Ok(Journal { sent, torn })) => {
                if torn > 0 {
                    tracing::warn!(torn, "what was being kept of messages when a process ended is lost");
                }
                (kept.is_read, kept.in_file) = (true, kept.in_file || !sent.is_empty());
                let since = std::mem::replace(&mut kept.sent, sent);
                kept.add(since);
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                kept.late += 1;
                if kept.late == MOST_LATE {
                    tracing::error!(
                        "the disk is late with what was told while the store was away: it may be told again"
                    );
                }
                return kept.is_late();
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::error!(%error, "what was told while the store was away cannot be read, and is set aside");
                self.set_aside(&mut kept).await;
            }
            Some(Err(error)) => {
                tracing::error!(%error, "what was told while the store was away cannot be read, and is left as it is");
            }
        }
        true
    }

    /// What the file has is for a person from now on.
    async fn set_aside(&self, kept: &mut Kept) {
        if let Some(Err(error)) = self.file.call(LONG, AlertJournal::set_aside).await {
            return tracing::error!(%error, "what was told while the store was away cannot be set aside");
        }
        (kept.is_read, kept.in_file) = (true, false);
    }

    /// What is known to have been told. `None` while something is being kept.
    pub(crate) fn sent(&self) -> Option<Vec<Journalled>> {
        self.kept.try_lock().ok().map(|kept| kept.sent.clone())
    }

    /// How much was ever added.
    pub(crate) fn added(&self) -> u64 {
        self.added.load(Ordering::Relaxed)
    }

    /// The store has everything that had been added by then. What has been added since stays, with all before it.
    pub(crate) async fn clear(&self, by: u64) {
        let mut kept = self.kept.lock().await;
        if self.added() != by {
            return;
        }
        if !kept.is_read {
            // The store has what this process told. What an earlier one told is known to nobody, and must not come back for the next
            // one when it is long over.
            if kept.is_late() {
                // Once: a disk that hangs is not asked with each commit.
                kept.late = 0;
                self.set_aside(&mut kept).await;
            }
            return;
        }
        kept.sent.clear();
        if !kept.in_file {
            return;
        }
        if let Some(Err(error)) = self.file.call(LONG, AlertJournal::clear).await {
            return tracing::warn!(%error, "what was told while the store was away cannot be cleared");
        }
        (kept.in_file, kept.has_failed) = (false, false);
    }

    /// Whether there is something to clear, and nothing is being done about it.
    pub(crate) fn is_to_be_cleared(&self) -> bool {
        let is_any = |kept: &Kept| !kept.sent.is_empty() || kept.in_file || !kept.is_read && kept.is_late();
        self.kept.try_lock().is_ok_and(|kept| is_any(&kept))
    }
}

impl Kept {
    /// Whether the disk was late so often that nobody waits for it.
    fn is_late(&self) -> bool {
        self.late >= MOST_LATE
    }

    fn add(&mut self, new: impl IntoIterator<Item = Journalled>) {
        let known = std::mem::take(&mut self.sent);
        self.sent = Journal::of(known.into_iter().chain(new), 0).sent;
        let surplus = self.sent.len().saturating_sub(MOST);
        self.sent.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ttm_alert::testing::{FakeAlertJournal, small};
    use ttm_kernel::Runtime;
    use ttm_testkit::ManualRuntime;

    use super::*;
    use crate::local_file::Disk;

    fn told(journal: &FakeAlertJournal) -> (ManualRuntime, Told) {
        let runtime = ManualRuntime::new(1);
        let io: Arc<dyn Runtime> = Arc::new(runtime.clone());
        (runtime, Told::new(Disk::new(&io).file(Some(Arc::new(journal.clone())))))
    }

    #[test]
    fn what_is_told_while_the_journal_is_about_to_be_cleared_stays() {
        let journal = FakeAlertJournal::new();
        let (runtime, told) = told(&journal);
        runtime.block_on(async {
            assert!(told.read().await);
            told.append(&small::row(1, 1), None).await;
            let stored = told.added();
            told.append(&small::row(2, 1), None).await;
            told.clear(stored).await;
            assert_eq!(journal.sent().len(), 2, "nobody knows yet whether the store has the second");
            told.clear(told.added()).await;
            assert_eq!((journal.sent().len(), told.is_to_be_cleared()), (0, false));
        });
    }

    #[test]
    fn a_journal_that_could_not_be_read_is_not_cleared() {
        let journal = FakeAlertJournal::new();
        let (runtime, told) = told(&journal);
        runtime.block_on(async {
            told.append(&small::row(1, 1), None).await;
            journal.fail_with(io::ErrorKind::PermissionDenied);
            assert!(told.read().await, "it goes on without it");
            assert_eq!(told.sent().map(|sent| sent.len()), Some(1), "it remembers its own");
            journal.heal();
            told.clear(told.added()).await;
            assert_eq!(journal.sent().len(), 1);
        });
    }

    #[test]
    fn a_disk_that_takes_its_time_is_asked_again_and_not_for_ever() {
        let journal = FakeAlertJournal::new();
        let (runtime, told) = told(&journal);
        journal.fail_with(io::ErrorKind::TimedOut);
        assert!(!runtime.block_on(told.read()), "it is late");
        assert!(runtime.block_on(told.read()), "it may hang");
        runtime.block_on(told.append(&small::row(1, 1), None));
        journal.heal();
        journal.append(&Journalled { row: small::row(2, 1), outcome: None }).expect("it works again");
        assert!(runtime.block_on(told.read()));
        assert_eq!(told.sent().map(|sent| sent.len()), Some(2), "once it answers, what it has counts");
    }

    #[test]
    fn what_was_never_read_is_set_aside_once_the_store_has_everything() {
        let journal = FakeAlertJournal::new();
        let (runtime, told) = told(&journal);
        journal.append(&Journalled { row: small::row(2, 1), outcome: None }).expect("it works");
        journal.fail_with(io::ErrorKind::TimedOut);
        assert!(!runtime.block_on(told.read()));
        assert!(!told.is_to_be_cleared(), "it was late once only");
        assert!(runtime.block_on(told.read()));
        journal.heal();
        assert_eq!((journal.sent().len(), told.is_to_be_cleared()), (1, true));
        runtime.block_on(told.clear(told.added()));
        assert!(journal.sent().is_empty(), "the next process would take it for what is");
        assert!(!told.is_to_be_cleared());
    }

    #[test]
    fn a_disk_that_hangs_is_asked_to_set_it_aside_once() {
        let journal = FakeAlertJournal::new();
        let (runtime, told) = told(&journal);
        journal.fail_with(io::ErrorKind::TimedOut);
        runtime.block_on(async {
            told.read().await;
            told.read().await;
            told.clear(told.added()).await;
        });
        assert!(!told.is_to_be_cleared());
    }

    #[test]
    fn while_it_is_being_cleared_nobody_else_is_to_clear_it() {
        let journal = FakeAlertJournal::new();
        let (runtime, told) = told(&journal);
        runtime.block_on(async {
            assert!(told.read().await);
            told.append(&small::row(1, 1), None).await;
            assert!(told.is_to_be_cleared());
            let _clearing = told.kept.lock().await;
            assert!(!told.is_to_be_cleared());
        });
    }
}
