//! Why a store did not do what it was asked, as what the caller does next. Every port to a store answers with it.

use std::fmt;
use std::time::Duration;

use crate::Epoch;

/// How often it is tried whether a person has mended what is missing.
pub const MENDED_AFTER: Duration = Duration::from_mins(1);

/// Why the store did not do it. A message names the database's own code where there is one, and never an address or a
/// secret.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Unreachable, busy, full, read-only for now, timed out: keep the data and try again.
    #[error("the store cannot be used now: {message}")]
    Transient {
        /// What happened.
        message: String,
        /// Not before, where trying at the usual pace would only add to the trouble.
        retry_after: Option<Duration>,
    },
    /// A database, a table or a right is not there: keep the data, call a person, and try again seldom, until it is.
    #[error("the store cannot be used before a person has mended it: {message}")]
    Missing {
        /// What it said.
        message: String,
    },
    /// It lets this process in no more: keep the data, call a person, and try again seldom, until the credentials are right.
    #[error("the store refuses the credentials: {message}")]
    Unauthenticated {
        /// What it said.
        message: String,
    },
    /// Another writer took over: stop writing.
    #[error("epoch {epoch} is fenced off by a newer writer")]
    Fenced {
        /// The epoch of the refused write.
        epoch: Epoch,
    },
    /// The store refuses this data, and will again: split it, or drop and count it.
    #[error("the store refuses the data: {message}")]
    Rejected {
        /// What it said.
        message: String,
    },
    /// It answered what this program does not know: another code, or a row that no program of ours can have made. That is
    /// no proof of damage: a writer keeps the data, and tries the same again seldom; who reads looks again at its next
    /// turn. Other uses go on. A start is refused, since nobody knows what it would work with.
    #[error("the store answers what this program does not know: {message}")]
    Unexpected {
        /// What it answered.
        message: String,
    },
    /// The store is damaged, or not the one that was opened, which is certain: stop touching it, whatever for, and call a
    /// person.
    #[error("the store is unusable: {message}")]
    Corrupt {
        /// What is wrong.
        message: String,
    },
}

impl StoreError {
    /// What the store said, for a sentence that says by itself what does not work.
    pub fn said(&self) -> String {
        match self {
            Self::Transient { message, .. }
            | Self::Missing { message }
            | Self::Unauthenticated { message }
            | Self::Rejected { message }
            | Self::Unexpected { message }
            | Self::Corrupt { message } => message.clone(),
            Self::Fenced { .. } => self.to_string(),
        }
    }

    /// Whether waiting helps by itself, while the data is kept.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Transient { .. } | Self::Missing { .. } | Self::Unauthenticated { .. })
    }

    /// Whether it passes only once a person has acted, though it is tried again until then.
    pub const fn needs_a_person(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Unauthenticated { .. })
    }

    /// How long to wait at least before the same is tried again.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Transient { retry_after, .. } => *retry_after,
            Self::Missing { .. } | Self::Unauthenticated { .. } | Self::Unexpected { .. } => {
                Some(MENDED_AFTER)
            }
            Self::Fenced { .. } | Self::Rejected { .. } | Self::Corrupt { .. } => None,
        }
    }

    /// A failure that passes while the data is kept, tried again at the caller's own pace.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient { message: message.into(), retry_after: None }
    }

    /// Data that the store refuses, and will again.
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::Rejected { message: message.into() }
    }

    /// Whether a store of which `newest` is the newest epoch takes a write under this one.
    ///
    /// # Errors
    /// [`Fenced`](Self::Fenced) when another writer took over; those of [`check_granted`](Self::check_granted).
    pub fn check_epoch(epoch: Epoch, newest: u64) -> Result<(), Self> {
        Self::check_granted(epoch, newest)?;
        if epoch.number() < newest { Err(Self::Fenced { epoch }) } else { Ok(()) }
    }

    /// Whether a store of which `newest` is the newest epoch can have granted this one.
    ///
    /// # Errors
    /// [`Corrupt`](Self::Corrupt) when it is not the store that did: what it holds is not what its writer knows, and what
    /// it lacks was lost.
    pub fn check_granted(epoch: Epoch, newest: u64) -> Result<(), Self> {
        if epoch.number() <= newest {
            return Ok(());
        }
        Err(Self::replaced(format_args!(
            "this process works under epoch {epoch}, and the store knows of {newest} at most"
        )))
    }

    /// The store is not what it was: whoever goes by what it holds now takes lost content for an edit.
    pub fn replaced(sign: impl fmt::Display) -> Self {
        Self::corrupt(format!("{sign}: its tables were made anew, or restored from an older copy"))
    }

    /// Content that is not what it must be.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::Corrupt { message: message.into() }
    }
}
