//! What a breaker returns and records, as plain data.

use std::fmt;
use std::time::Duration;

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

    /// The state with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
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
    /// The upstream did what was asked.
    Success,
    /// It did not.
    Failure,
    /// The call proves nothing about the upstream: it was cancelled, or the request was wrong.
    Ignored,
    /// The upstream works and limits the rate (429).
    RateLimited {
        /// When it may be called again, if it said so. Taken as it is, so bound it first.
        retry_at: Option<Moment>,
    },
}

/// What a report changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was of the present generation and went into its counts, which a disabled breaker does not keep.
    Counted,
    /// It was of an earlier generation, or of a probe that was written off, and changed nothing.
    Stale,
}

/// A call that was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rejected: {reason}")]
pub struct Rejected {
    /// When to try again; [`Moment::MAX`] if only an operator can admit calls again.
    pub retry_at: Moment,
    /// Why.
    pub reason: RejectReason,
}

/// Why a call was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// The breaker is open.
    Open,
    /// All probes are in flight; `retry_at` is when the first of them will be written off.
    ProbesOut,
    /// An operator holds the breaker open.
    ForcedOpen,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "the breaker is open",
            Self::ProbesOut => "the breaker waits for the outcome of its probes",
            Self::ForcedOpen => "an operator holds the breaker open",
        })
    }
}

/// Outcomes counted in one generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that worked.
    pub successes: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Failures since the last success.
    pub consecutive_failures: u64,
    /// Calls that took too long, failed or not.
    pub slow: u64,
    /// Calls that were ignored.
    pub ignored: u64,
    /// Calls that were rate limited.
    pub rate_limited: u64,
}

/// The calls in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowCounts {
    /// Calls in the window, of which the others are shares.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those that took too long.
    pub slow: u64,
}

impl WindowCounts {
    /// Failed calls per call; 0 when there was none.
    pub fn failure_rate(&self) -> f64 {
        share(self.failures, self.calls)
    }

    /// Slow calls per call; 0 when there was none.
    pub fn slow_rate(&self) -> f64 {
        share(self.slow, self.calls)
    }
}

fn share(of_them: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { of_them as f64 / all as f64 }
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
    /// What kept the breaker from making this transition, if something did: it is where it was.
    pub suppressed: Option<SuppressedBy>,
}

/// What keeps a breaker from opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SuppressedBy {
    /// It only counts ([`metrics_only`](crate::BreakerSettings::metrics_only)).
    MetricsOnly,
    /// Too many breakers of its registry are open already.
    OpenShare,
}

impl SuppressedBy {
    /// The word for logs, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MetricsOnly => "metrics_only",
            Self::OpenShare => "open_share",
        }
    }
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransitionReason {
    /// Too many consecutive failures.
    ConsecutiveFailures,
    /// Too large a share of the last calls failed.
    FailureRate,
    /// Too large a share of the last calls was slow.
    SlowCallRate,
    /// The open period is over, and a call came.
    RecoveryDue,
    /// Enough probes succeeded.
    ProbesSucceeded,
    /// More probes failed than may.
    ProbesFailed,
    /// More probes were slow than may.
    ProbesSlow,
    /// A probe was rate limited.
    ProbeRateLimited,
    /// An operator forced the breaker open, disabled or reset it.
    Operator,
    /// The state was restored from the process before.
    Restored,
    /// New settings put the breaker into metrics-only mode.
    Reconfigured,
}

impl TransitionReason {
    /// The word for logs, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::FailureRate => "failure_rate",
            Self::SlowCallRate => "slow_call_rate",
            Self::RecoveryDue => "recovery_due",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::ProbesFailed => "probes_failed",
            Self::ProbesSlow => "probes_slow",
            Self::ProbeRateLimited => "probe_rate_limited",
            Self::Operator => "operator",
            Self::Restored => "restored",
            Self::Reconfigured => "reconfigured",
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
    /// The generation; every transition begins a new one.
    pub generation: u64,
    /// When a rejected call may be tried again; none if a call would be admitted.
    pub retry_at: Option<Moment>,
    /// Outcomes counted in this generation.
    pub counts: Counts,
    /// The calls in the window, while the breaker is closed and has rates.
    pub window: Option<WindowCounts>,
    /// Probes in flight.
    pub probes_in_flight: u32,
    /// Transitions that were dropped before they were fetched, since the start.
    pub transitions_lost: u64,
}

/// What outlives the process, so that a restart does not hammer an upstream that was down.
///
/// It holds no moment, since the next process counts from an origin of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The state. The probes of a half-open breaker die with the process, so it is saved as open and due.
    pub state: State,
    /// How much longer an open breaker stays open.
    pub open_for: Duration,
    /// Recoveries that failed since the breaker was last closed, which decide how long the next period is.
    pub failed_recoveries: u32,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Each has a word of its own that metrics and the API can carry, and is shown by it.
    #[track_caller]
    fn check_words<T: fmt::Display + Copy>(all: &[T], word: fn(T) -> &'static str) {
        let words: BTreeSet<&str> = all.iter().map(|each| word(*each)).collect();
        assert_eq!(words.len(), all.len(), "{words:?}");
        for each in all {
            let word = word(*each);
            assert!(!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert_eq!(format!("{each:>24}"), format!("{word:>24}"));
        }
    }

    #[test]
    fn states_and_reasons_have_distinct_words() {
        use TransitionReason as Reason;
        check_words(&State::ALL, State::as_str);
        let reasons = [
            Reason::ConsecutiveFailures,
            Reason::FailureRate,
            Reason::SlowCallRate,
            Reason::RecoveryDue,
            Reason::ProbesSucceeded,
            Reason::ProbesFailed,
            Reason::ProbesSlow,
            Reason::ProbeRateLimited,
            Reason::Operator,
            Reason::Restored,
            Reason::Reconfigured,
        ];
        check_words(&reasons, Reason::as_str);
        let suppressed = [SuppressedBy::MetricsOnly, SuppressedBy::OpenShare].map(SuppressedBy::as_str);
        assert_eq!(suppressed, ["metrics_only", "open_share"]);
    }

    #[test]
    fn a_rejection_names_its_reason() {
        let told = [RejectReason::Open, RejectReason::ProbesOut, RejectReason::ForcedOpen]
            .map(|reason| Rejected { retry_at: Moment::ZERO, reason }.to_string());
        assert!(told.iter().all(|told| told.len() > "rejected: ".len()), "{told:?}");
        assert_eq!(BTreeSet::from(told).len(), 3);
    }
}
