//! The ports of alerts: the store of their states and of the messages that wait, the journal for when it is away, a channel, a
//! program that is told the state instead of messages, and the heartbeat.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{FencingToken, StoreError};

use crate::{Attempt, Commit, DeadLetter, Item, Journal, Journalled, Loaded, Outcome, Receipt};

/// How many receipts a store keeps at least, and how many it loads.
pub const RECEIPTS_KEPT: usize = 1_000;

/// How many dead letters a store keeps at least.
pub const DEAD_LETTERS_KEPT: usize = 1_000;

/// Keeps the state of alerts, the messages that wait, and what became of those that do not, so that nothing is told twice, forgotten
/// or taken back by a restart.
///
/// Laws:
/// 1. What `commit` acknowledged is returned by `load`, also after a crash. Times and periods are kept to the microsecond.
/// 2. `commit` stores all or nothing, and is idempotent.
/// 3. What a commit does not name stays as it is. A record, a message, a silence with the key of one that is stored replaces
///    it, whatever its times. To forget or to settle what is not stored does nothing.
/// 4. A message that is settled, or dead, does not wait any more; of one that the same commit has among those that wait, that
///    counts.
/// 5. `load` returns records, messages and silences once each, ordered by their keys; then the newest [`RECEIPTS_KEPT`] receipts, the
///    oldest of them first, and an empty journal.
/// 6. `commit` under an epoch older than the newest claimed one stores nothing and returns
///    [`Fenced`](ttm_kernel::StoreErrorKind::Fenced) by the epoch. Epochs are claimed where the store's other writers claim
///    theirs.
/// 7. Once `commit` has succeeded under an incarnation, even with nothing to store, `commit` under an older incarnation of the
///    same epoch stores nothing and returns [`Fenced`](ttm_kernel::StoreErrorKind::Fenced) by the incarnation, also after a
///    restart. The store's other writers are not affected, and after a claim the first incarnation is zero again.
/// 8. Receipts and dead letters are returned in the order in which they were committed, the newest `limit` of them. A receipt
///    is known by its message and attempt, a dead letter by its message: committed again it is there once. At least the newest
///    [`RECEIPTS_KEPT`] and [`DEAD_LETTERS_KEPT`] are kept; older ones may go.
/// 9. A row that no commit can have written says what is wrong with it: in [`Loaded::unreadable`], beside everything that can be
///    read, and otherwise as [`Unexpected`](ttm_kernel::StoreErrorKind::Unexpected).
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait AlertStore: Send + Sync {
    /// What a process begins with.
    async fn load(&self) -> Result<Loaded, StoreError>;

    /// Stores what changed.
    async fn commit(&self, under: FencingToken, commit: &Commit) -> Result<(), StoreError>;

    /// What became of attempts, the oldest first.
    async fn receipts(&self, limit: usize) -> Result<Vec<Receipt>, StoreError>;

    /// The messages that were refused, the oldest first.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError>;
}

/// Keeps, beside the store and without it, what was sent while the store was away, so that the next process knows who was told
/// what. A message is appended before it is sent, and again once its outcome is known; when the store has everything, the journal
/// is cleared.
///
/// Laws:
/// 1. What `append` returned from is read by the next process, in the order of the calls, also after a power failure. Times and
///    periods are kept to the microsecond.
/// 2. An attempt is known by its message's key and its count: appended again it is there once, where it was, as it was appended
///    last.
/// 3. `read` of what was never appended, or was cleared, is empty.
/// 4. What a crash has left of an `append` that never returned is not read, but counted. The next `append` takes its place.
/// 5. `read` of anything else that `append` cannot have written is [`InvalidData`](io::ErrorKind::InvalidData) and says what is
///    wrong, and `set_aside` keeps it elsewhere for a person and leaves nothing. Where there is nothing to clear or to set
///    aside, both do nothing.
/// 6. An `append` that fails leaves what was there before. One that does not fit any more fails with
///    [`FileTooLarge`](io::ErrorKind::FileTooLarge): nothing that is there is given up for it.
///
/// Calls may block for as long as a disk takes: they are made one at a time, where nothing waits for it.
#[cfg_attr(feature = "testing", mockall::automock)]
pub trait AlertJournal: Send + Sync {
    /// Adds an attempt, or what became of it.
    ///
    /// # Errors
    /// Those of law 6 and those of the disk. The message may be sent all the same.
    fn append(&self, sent: &Journalled) -> io::Result<()>;

    /// What was sent.
    fn read(&self) -> io::Result<Journal>;

    /// Nothing is kept any more: the store has it.
    fn clear(&self) -> io::Result<()>;

    /// Keeps what cannot be read elsewhere.
    fn set_aside(&self) -> io::Result<()>;
}

/// A channel on which people, or other programs, are told.
///
/// Laws:
/// 1. One call is one attempt: nothing is retried or queued inside. What is remembered is of no harm if it is forgotten.
/// 2. [`Delivered`](Outcome::Delivered) means that the receiver has said so. An answer that says otherwise is none, whatever its
///    status; no answer in time is [`Retry`](Outcome::Retry).
/// 3. What passes by itself is [`Retry`](Outcome::Retry), with the time that the receiver asked for: no connection, 408, 425, 429 and
///    every 5xx. Everything else that a receiver refuses is [`Refused`](Outcome::Refused): the same message would be refused
///    again.
/// 4. The receiver gets the message's [idempotency key](crate::RowKey::idempotency_key) where it can take one, the same each time.
/// 5. No reason contains a secret: neither a token nor an address that is one.
/// 6. A call that is dropped has no effect but for an attempt that may have arrived.
/// 7. A call is answered within `patience`, whatever the receiver does.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait Notifier: Send + Sync {
    /// How long a call is waited for: a little longer than the channel itself waits for its receiver. Never waits.
    fn patience(&self) -> Duration;

    /// Sends a message once.
    async fn send(&self, attempt: &Attempt) -> Outcome;
}

/// Another program that groups, silences and resolves by itself, as Prometheus Alertmanager does. It is told what is, and no
/// messages: again and again, since it takes for over what it is not told any more.
///
/// Laws:
/// 1. One call tells all that it is given, and nothing is retried, queued or remembered inside.
/// 2. The laws 2, 3, 5, 6 and 7 of [`Notifier`], of all that was told; what comes after a failure is not told.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait Feed: Send + Sync {
    /// How often it is to be told, if nothing changes.
    fn every(&self) -> Duration;

    /// How long a call about so many alerts is waited for. Never waits.
    fn patience(&self, alerts: usize) -> Duration;

    /// Tells all that fires at this time; what has just ended may be among it.
    async fn tell(&self, alerts: &[Item], now: Timestamp) -> Outcome;
}

/// Tells somebody outside that this process lives, so that its end is noticed, which nothing inside could tell.
///
/// Laws:
/// 1. One call is one beat, sent now or never: none is retried, queued or sent later, since one that comes late tells of a life
///    that may be over.
/// 2. The laws 2, 3, 5, 6 and 7 of [`Notifier`].
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait Heartbeat: Send + Sync {
    /// How long a call is waited for. Never waits.
    fn patience(&self) -> Duration;

    /// Sends a beat.
    async fn beat(&self) -> Outcome;
}
