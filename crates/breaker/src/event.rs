//! What a breaker says, as plain data. Nothing here decides anything.

use std::fmt;

use ttm_kernel::Moment;

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Admits every call and counts its outcome.
    Closed,
    /// Rejects every call until its period is over.
    Open,
    /// Admits a few probes, and decides by them.
    HalfOpen,
    /// Rejects every call until an operator says otherwise.
    ForcedOpen,
    /// Admits every call and counts nothing, until an operator says otherwise.
    Disabled,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Closed, Self::Open, Self::HalfOpen, Self::ForcedOpen, Self::Disabled];

    /// The word for logs, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How an admitted call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The far side did its work.
    Success,
    /// It did not.
    Failure,
    /// The call says nothing about the far side: cancelled, or wrong by our own fault.
    Ignored,
    /// The far side works and asks for patience (429).
    RateLimited {
        /// Not before, when it said so. Believed as it is: bound it first.
        retry_at: Option<Moment>,
    },
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was of the present generation, and went into its counts.
    Counted,
    /// It was of an earlier generation, or of a probe that was written off: it changed nothing.
    Stale,
}

/// A call that may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rejected: {reason}")]
pub struct Rejected {
    /// When trying again makes sense; [`Moment::MAX`] when only an operator can tell.
    pub retry_at: Moment,
    /// Why.
    pub reason: RejectReason,
}

/// Why a call was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// The breaker is open.
    Open,
    /// All probes are out; `retry_at` is when the first of them would be written off.
    ProbesOut,
    /// An operator holds the breaker open.
    ForcedOpen,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "the breaker is open",
            Self::ProbesOut => "the breaker waits for its probes",
            Self::ForcedOpen => "an operator holds the breaker open",
        })
    }
}

/// Outcomes counted in one generation; they saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that worked.
    pub successes: u32,
    /// Calls that failed.
    pub failures: u32,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// Calls that said nothing.
    pub ignored: u32,
    /// Calls answered with "not now".
    pub rate_limited: u32,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When it was made.
    pub at: Moment,
    /// The state it left.
    pub from: State,
    /// The state it entered.
    pub to: State,
    /// Why.
    pub reason: TransitionReason,
    /// The outcomes counted in the state it left.
    pub counts: Counts,
    /// The generation it began.
    pub generation: u64,
    /// When the breaker will probe, if the new state is [`State::Open`].
    pub retry_at: Option<Moment>,
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransitionReason {
    /// Too many failures in a row.
    ConsecutiveFailures,
    /// The open period is over, and a call came.
    RecoveryDue,
    /// Enough probes succeeded.
    ProbesSucceeded,
    /// A probe failed.
    ProbeFailed,
    /// A probe was told to wait.
    ProbeRateLimited,
    /// An operator forced the breaker open, disabled or reset it.
    Operator,
}

impl TransitionReason {
    /// The word for logs, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::RecoveryDue => "recovery_due",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::ProbeFailed => "probe_failed",
            Self::ProbeRateLimited => "probe_rate_limited",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for TransitionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A breaker at one moment, for health, metrics and the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The state. An open breaker whose period is over stays open until a call comes.
    pub state: State,
    /// Which era of the breaker this is; every transition begins another.
    pub generation: u64,
    /// When a rejected call may come again; none while a call would be admitted.
    pub retry_at: Option<Moment>,
    /// Outcomes counted in this generation.
    pub counts: Counts,
    /// Probes that are out.
    pub probes_in_flight: u32,
    /// Transitions that nobody fetched in time, since the start.
    pub transitions_lost: u64,
}
