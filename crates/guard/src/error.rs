//! What an operation's failure means to the guard, and what a call that failed means to its caller.

use std::time::Duration;

use ttm_breaker::Rejected;
use ttm_kernel::Moment;
use ttm_retry::GiveUpReason;

/// What a failure says about the upstream, and so what is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It may pass by itself (lost connection, 5xx, unusable answer): counts against the upstream, and is tried again.
    Transient {
        /// Not before, when the upstream said so.
        retry_after: Option<Duration>,
    },
    /// The upstream asks for patience (429): every caller pauses, then it is tried again.
    RateLimited {
        /// Not before, when the upstream said so.
        retry_after: Option<Duration>,
    },
    /// The upstream refuses this client (401, 403): counts against it, and trying again makes it worse.
    Refused,
    /// The request is wrong (400, 404): says nothing about the upstream, and trying again cannot help.
    Invalid,
}

/// Why a call gave no answer, as what the caller can do next.
#[derive(Debug, thiserror::Error)]
pub enum GuardError<E> {
    /// The breaker did not admit the call, or not its next attempt: come back at `retry_at`.
    #[error("{0}")]
    Rejected(Rejected),
    /// The limiter has no turn before the deadline: come back at `retry_at`.
    #[error("no turn before the deadline")]
    Throttled {
        /// When there may be one.
        retry_at: Moment,
    },
    /// Time ran out: in the last attempt, or before another could be made.
    #[error("timed out after {attempts} attempts")]
    TimedOut {
        /// Attempts that were made.
        attempts: u32,
    },
    /// The last attempt failed.
    #[error("failed after {attempts} attempts: {gave_up}")]
    Failed {
        /// How it failed.
        #[source]
        error: E,
        /// Attempts that were made.
        attempts: u32,
        /// Why there was no further one.
        gave_up: GiveUpReason,
    },
}
