//! What an operation's failure means to the guard, and what a failed call means to its caller.

use std::time::Duration;

use ttm_breaker::Rejected;
use ttm_kernel::Moment;
use ttm_retry::GiveUpReason;

/// What a failure means for the upstream's breaker and for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It may pass by itself (lost connection, 5xx, unusable answer): counts as a failure and is retried.
    Transient {
        /// How long to wait at least, if the upstream said so.
        retry_after: Option<Duration>,
    },
    /// The upstream limits the rate (429): every caller pauses, then the call is retried.
    RateLimited {
        /// How long to wait at least, if the upstream said so.
        retry_after: Option<Duration>,
    },
    /// The upstream refuses this client (401, 403): counts as a failure and is not retried, which would make it worse.
    Refused,
    /// The request is wrong (400, 404): counts as nothing and is not retried, which cannot help.
    Invalid,
}

/// Why a call failed, and so what the caller can do next.
#[derive(Debug, thiserror::Error)]
pub enum GuardError<E> {
    /// The breaker did not admit the call or its next attempt: try again at `retry_at`.
    #[error("{0}")]
    Rejected(Rejected),
    /// The limiter has no turn before the deadline: try again at `retry_at`.
    #[error("no turn before the deadline")]
    Throttled {
        /// When there may be a turn.
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
        /// Why no further attempt was made.
        gave_up: GiveUpReason,
    },
}
