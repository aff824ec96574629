//! The ports of recovery: the ledger, the file for what is said last, the service manager, the threads of this process, and
//! what operators see and order.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{FencingToken, StoreError};

use crate::{Budgets, Entry, EntryKey, Lately, Recovery, State};

/// Keeps every decision, so that a restart of the process forgets none: neither what was spent of a budget, nor why.
///
/// Laws:
/// 1. What `append` acknowledged is returned by `load`, also after a crash. Times and periods are kept to the microsecond.
/// 2. `append` stores all or nothing, and is idempotent: an entry whose key is stored already stays as it is.
/// 3. `load` returns entries in the order of their keys, whatever the order of their times and of the calls: the newest
///    `limit` of those whose time is not before `since`.
/// 4. `append` under an epoch older than the newest claimed one stores nothing and returns
///    [`Fenced`](ttm_kernel::StoreErrorKind::Fenced) by the epoch. Epochs are claimed where the store's other writers claim
///    theirs.
/// 5. Once `append` has succeeded under an incarnation, even with nothing to write, `append` under an older incarnation of
///    the same epoch stores nothing and returns [`Fenced`](ttm_kernel::StoreErrorKind::Fenced) by the incarnation, also
///    after a restart. The store's other writers are not affected, and after a claim the first incarnation is zero again.
/// 6. At least the newest [`LEDGER_KEEPS`] entries are kept; older ones may go.
/// 7. A row that no ledger can have written is [`Unexpected`](ttm_kernel::StoreErrorKind::Unexpected), and the error says
///    what is wrong with it. After `set_aside`, which is fenced as `append` is, the ledger is empty and can be used again,
///    and its rows are kept elsewhere for a person.
/// 8. An entry that [`Entry::check`] refuses is [`Rejected`](ttm_kernel::StoreErrorKind::Rejected), and so is everything in
///    the same call. Entries of earlier epochs are kept like others: a process adds what the one before it could not.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait RecoveryLedger: Send + Sync {
    /// The newest entries, the oldest of them first.
    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Adds entries.
    async fn append(&self, under: FencingToken, entries: &[Entry]) -> Result<(), StoreError>;

    /// Empties the ledger of what cannot be read.
    async fn set_aside(&self, under: FencingToken) -> Result<(), StoreError>;
}

/// How many recoveries a running service remembers for operators.
pub const RECOVERIES_SHOWN: usize = 500;

/// How many entries a ledger keeps at least.
pub const LEDGER_KEEPS: usize = 10_000;

/// Keeps, beside the ledger and without its store, what is said right before the process ends.
///
/// Laws:
/// 1. What `write` returned from is read by the next process exactly and in the order of the writes, also after a power
///    failure.
/// 2. `read` of what was never written, or was cleared, is empty.
/// 3. `read` of something that `write` cannot have written is an error that says what is wrong, and `set_aside` keeps it
///    elsewhere for a person and leaves nothing. Where there is nothing to clear or to set aside, both do nothing.
/// 4. A `write` that fails leaves what was written before. It fails for an entry that [`Entry::check`] refuses.
///
/// Calls may block for as long as a disk takes: they are made one at a time, where nothing waits for it.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait LastWords: Send + Sync {
    /// Adds these entries to what is kept.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for an entry that cannot be kept; else those of the disk.
    fn write(&self, entries: &[Entry]) -> io::Result<()>;

    /// What is kept.
    fn read(&self) -> io::Result<Vec<Entry>>;

    /// Nothing is kept any more: the ledger has it.
    fn clear(&self) -> io::Result<()>;

    /// Keeps what cannot be read elsewhere.
    fn set_aside(&self) -> io::Result<()>;
}

/// What the service manager is told. Saying it never waits, and failing to say it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The start is over.
    Ready,
    /// The service stops.
    Stopping,
    /// What it does now, in words for a person.
    Status(String),
    /// What is under way takes this much longer.
    Extend(Duration),
    /// It is alive.
    Alive,
}

/// What starts, watches and restarts this process: systemd in production.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait ServiceManager: Send + Sync {
    /// Tells it something.
    fn notify(&self, notice: Notice);

    /// How long it waits for [`Notice::Alive`] before it kills the process. `None` if it does not.
    fn watchdog(&self) -> Option<Duration>;
}

/// A thread of this process, as the operating system sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadFacts {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its state: `R` runs, `S` sleeps, `D` waits for a device, `T` is stopped.
    pub state: char,
    /// What it waits for in the kernel, where that is known.
    pub waits_in: Option<String>,
    /// The processor time that it has used so far.
    pub cpu: Duration,
}

/// Sees the threads of this process.
///
/// Laws: (1) a thread that ends meanwhile is left out; (2) the answer is there in milliseconds, and nothing is waited for.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait ThreadSource: Send + Sync {
    /// All threads, ordered by their ids.
    fn threads(&self) -> io::Result<Vec<ThreadFacts>>;
}

/// A part, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartView {
    /// Its name.
    pub name: String,
    /// Whether the service does not do what it is for without it.
    pub critical: bool,
    /// What it is doing.
    pub state: State,
    /// Whether it was given up, and has not got on since, whatever is tried.
    pub given_up: bool,
    /// The number of its incarnation.
    pub incarnation: u32,
    /// Since it last got on.
    pub since_progress: Option<Duration>,
    /// Why it is not running as it should, in a line for a person.
    pub problem: Option<String>,
}

/// What operators see and order.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait RecoveryControl: Send + Sync {
    /// The last recoveries, the newest first: at most [`RECOVERIES_SHOWN`] are remembered. Never waits.
    fn recoveries(&self, limit: usize) -> Vec<Recovery>;

    /// Why recoveries of earlier processes may be missing; `None` if none is. Never waits.
    fn problem(&self) -> Option<String>;

    /// How many recoveries there were after this time, or are still under way. Never waits.
    fn lately(&self, since: Timestamp) -> Lately;

    /// All parts, in the order of their table. Never waits.
    fn parts(&self) -> Vec<PartView>;

    /// What is left of the budgets; `None` in the first moments of a service. Never waits.
    fn budgets(&self) -> Option<Budgets>;

    /// Restarts a part, whatever its budget. Answers when the order was taken, with the recovery that it began.
    async fn restart(&self, part: &str) -> Result<EntryKey, RestartRefused>;
}

/// Why a part is not restarted by hand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestartRefused {
    /// There is no such part.
    #[error("no part is called {part:?}; the parts are {known}")]
    Unknown {
        /// What was asked for.
        part: String,
        /// The names of all parts.
        known: String,
    },
    /// It is being restarted.
    #[error("the part {0} is being restarted already")]
    UnderWay(String),
    /// The service is starting or stopping.
    #[error("the service is {0}")]
    NotRunning(&'static str),
}
