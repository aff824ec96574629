//! Models of the breakers.

use serde::Serialize;
use ttm_breaker::{BreakerView, Counts, Ordered, WindowCounts};

/// `/api/v1/breakers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BreakersDto {
    /// All breakers, by name.
    pub breakers: Vec<BreakerDto>,
}

/// A breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BreakerDto {
    /// Its name. In a path it is percent-encoded, a `/` in it as `%2F`.
    pub name: String,
    /// `closed`, `open`, `half_open`, `forced_open` or `disabled`.
    pub state: &'static str,
    /// Since when; what was restored, since before the process began.
    pub since: String,
    /// Why; null if it has not changed its state in this process.
    pub reason: Option<&'static str>,
    /// The last error of what is called, when it left the closed state.
    pub cause: Option<String>,
    /// When a rejected call may be tried again; null if a call would be admitted, or if only an operator can admit one.
    pub retry_at: Option<String>,
    /// Outcomes counted in this state.
    pub counts: CountsDto,
    /// The calls in the window; null unless the breaker is closed and has rates.
    pub window: Option<WindowDto>,
    /// Probes in flight.
    pub probes_in_flight: u32,
}

/// The answer to an order, which is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderedDto {
    /// The breaker.
    #[serde(flatten)]
    pub breaker: BreakerDto,
    /// Whether the order is stored, so that a restart of the process does not end it. If not it goes on being stored.
    pub stored: bool,
}

/// Outcomes of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CountsDto {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WindowDto {
    /// Calls in the window.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those that took too long.
    pub slow: u64,
}

impl From<Vec<BreakerView>> for BreakersDto {
    fn from(breakers: Vec<BreakerView>) -> Self {
        Self { breakers: breakers.into_iter().map(BreakerDto::from).collect() }
    }
}

impl From<BreakerView> for BreakerDto {
    fn from(view: BreakerView) -> Self {
        Self {
            state: view.state.as_str(),
            since: view.since.to_string(),
            reason: view.reason.map(ttm_breaker::TransitionReason::as_str),
            cause: view.cause,
            retry_at: view.retry_at.map(|at| at.to_string()),
            counts: view.counts.into(),
            window: view.window.map(WindowDto::from),
            probes_in_flight: view.probes_in_flight,
            name: view.name,
        }
    }
}

impl From<Ordered> for OrderedDto {
    fn from(Ordered { breaker, stored }: Ordered) -> Self {
        Self { breaker: breaker.into(), stored }
    }
}

impl From<Counts> for CountsDto {
    fn from(counts: Counts) -> Self {
        let Counts { successes, failures, consecutive_failures, slow, ignored, rate_limited } = counts;
        Self { successes, failures, consecutive_failures, slow, ignored, rate_limited }
    }
}

impl From<WindowCounts> for WindowDto {
    fn from(WindowCounts { calls, failures, slow }: WindowCounts) -> Self {
        Self { calls, failures, slow }
    }
}
