//! The port to the lease on a store: one process at a time works on it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::StoreError;

/// The lease on a store, as this process sees it. It is taken before anything else touches the store, migrations
/// included, and kept up independently of whether there is anything to write.
///
/// What makes it sound: a lease only keeps two processes apart that both behave. A process that was stopped while its
/// lease ran out, and does not know it yet, is held off by the epoch, which stores compare inside each write.
///
/// Laws:
/// 1. While one process holds the lease, `acquire` by another is [`LeaseError::Held`], which names the holder, and
///    changes nothing.
/// 2. `acquire` and `renew` by the holder succeed; `acquire` again is the same as `renew`.
/// 3. After `release`, after the holder's death, or after its time has run out without a renewal, another may acquire.
/// 4. `renew` and `release` by a process that no longer holds the lease change nothing; `renew` is then
///    [`LeaseError::Lost`].
/// 5. [`LeaseError::Store`] says nothing about who holds it: the caller goes on as before and tries again.
/// 6. `stands` never waits. Time that the process or the machine was suspended counts, and it counts from the start of
///    the attempt that succeeded.
#[async_trait]
pub trait StoreLease: Send + Sync {
    /// Takes the lease.
    async fn acquire(&self) -> Result<(), LeaseError>;

    /// Takes it for another while.
    async fn renew(&self) -> Result<(), LeaseError>;

    /// Gives it up, so that the next process need not wait for it to run out.
    async fn release(&self) -> Result<(), StoreError>;

    /// Whether the last grant or renewal has not run out yet; false before the first one. When it has, renewing comes
    /// before any request or write.
    fn stands(&self) -> bool;

    /// How often it wants to be renewed.
    fn renew_every(&self) -> Duration;
}

/// Why a lease was not granted or renewed.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another process has it.
    #[error("another process holds the store: {holder}{}", running_out(.until.as_ref()))]
    Held {
        /// Which, as far as it can be told: process id, host, since when.
        holder: String,
        /// When it runs out unless it is renewed, by the store's clock; none when the holder is known to live, or when
        /// nothing runs out. One that stays the same is not renewed.
        until: Option<Timestamp>,
    },
    /// This process had it, and lost it.
    #[error("the lease on the store is lost{}", taken_over(.holder.as_ref()))]
    Lost {
        /// Who has it now, if anyone.
        holder: Option<String>,
    },
    /// This process had it, and what it was the lease of is not there any more.
    #[error("the lease on the store is lost: {what}")]
    Gone {
        /// What became of it.
        what: String,
    },
    /// The store did not answer, or not usefully.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LeaseError {
    /// With what was being done, where it is the store that failed.
    #[must_use]
    pub fn while_doing(self, what: &'static str) -> Self {
        match self {
            Self::Store(error) => Self::Store(error.while_doing(what)),
            other => other,
        }
    }
}

fn running_out(until: Option<&Timestamp>) -> String {
    until.map_or_else(String::new, |until| format!("; its lease runs out at {until:.0} unless it is renewed"))
}

fn taken_over(holder: Option<&String>) -> String {
    holder.map_or_else(String::new, |holder| format!(": {holder} took over"))
}
