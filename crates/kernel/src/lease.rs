//! The port to the lease on a store, which lets one process at a time work on it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{FailureClass, StoreError};

/// The lease on a store, as this process sees it. It is taken before anything else touches the store, migrations included, and
/// renewed whether or not there is anything to write.
///
/// What makes it sound: a lease alone only separates processes that check it in time. A process that was suspended while its
/// lease expired, and does not know it yet, is fenced off by the epoch, which stores compare inside each write.
///
/// Laws:
/// 1. While one process holds the lease, `acquire` by another is [`LeaseError::Held`], which names the holder, and
///    changes nothing.
/// 2. `acquire` and `renew` by the holder succeed; a second `acquire` is the same as `renew`.
/// 3. After `release`, after the holder's death, or after the lease has expired without a renewal, another may acquire it.
/// 4. `renew` and `release` by a process that no longer holds the lease change nothing; `renew` is then
///    [`LeaseError::Lost`].
/// 5. [`LeaseError::Store`] says nothing about who holds the lease: the caller goes on as before and retries.
/// 6. `stands` never waits. Validity counts from the start of the attempt that succeeded, and time during which the process
///    or the machine was suspended counts too.
#[async_trait]
pub trait StoreLease: Send + Sync {
    /// Takes the lease.
    async fn acquire(&self) -> Result<(), LeaseError>;

    /// Extends it.
    async fn renew(&self) -> Result<(), LeaseError>;

    /// Gives it up, so that the next process need not wait until it expires.
    async fn release(&self) -> Result<(), StoreError>;

    /// Whether the last grant or renewal is still valid; false before the first one. Once it is not, the lease must be renewed
    /// before any request or write.
    fn stands(&self) -> bool;

    /// How often it must be renewed.
    fn renew_every(&self) -> Duration;
}

/// Why a lease was not granted or renewed.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another process holds it.
    #[error("another process holds the store: {holder}{}", running_out(.until.as_ref()))]
    Held {
        /// Which one, as far as known: process id, host, since when.
        holder: String,
        /// When it expires by the store's clock unless it is renewed; `None` if the holder is known to be alive, or if this kind
        /// of lease does not expire. If it stays the same, the lease is not being renewed.
        until: Option<Timestamp>,
    },
    /// This process held it, and lost it.
    #[error("the lease on the store is lost{}", taken_over(.holder.as_ref()))]
    Lost {
        /// Who holds it now, if anyone.
        holder: Option<String>,
    },
    /// This process held it, and the store that it was for no longer exists.
    #[error("the lease on the store is lost: {what}")]
    Gone {
        /// What happened to the store.
        what: String,
    },
    /// The store did not answer, or failed.
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

    /// What kind of answer it wants.
    pub fn class(&self) -> FailureClass {
        match self {
            // Nothing is damaged, and nothing helps but that the other process ends.
            Self::Held { .. } => FailureClass::Persistent,
            // It is this process that has been replaced.
            Self::Lost { .. } => FailureClass::System,
            Self::Gone { .. } => FailureClass::Critical,
            Self::Store(error) => error.class(),
        }
    }
}

fn running_out(until: Option<&Timestamp>) -> String {
    until.map_or_else(String::new, |until| format!("; its lease expires at {until:.0} unless it is renewed"))
}

fn taken_over(holder: Option<&String>) -> String {
    holder.map_or_else(String::new, |holder| format!(": {holder} took over"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_is_of_a_class() {
        let holder = || "process 7".to_owned();
        for (error, class) in [
            (LeaseError::Held { holder: holder(), until: None }, FailureClass::Persistent),
            (LeaseError::Held { holder: holder(), until: Some(Timestamp::MAX) }, FailureClass::Persistent),
            (LeaseError::Lost { holder: None }, FailureClass::System),
            (LeaseError::Lost { holder: Some(holder()) }, FailureClass::System),
            (LeaseError::Gone { what: "deleted".to_owned() }, FailureClass::Critical),
            (LeaseError::Store(StoreError::transient("gone")), FailureClass::Transient),
            (LeaseError::Store(StoreError::corrupt("damaged")), FailureClass::Critical),
        ] {
            assert_eq!(error.class(), class, "{error}");
        }
    }
}
