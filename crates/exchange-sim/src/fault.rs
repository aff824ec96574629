//! What goes wrong, and when. It does not know how a fault looks on the wire.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use ttm_kernel::Moment;

/// One entry of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Begins this long after the exchange started.
    pub from: Duration,
    /// Ends this long after it began.
    pub lasts: Duration,
    /// What happens to every request that arrives in between.
    pub kind: FaultKind,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// 503 with an HTML body.
    Unavailable,
    /// 429 with an HTML body, with or without a `Retry-After` in seconds.
    RateLimited {
        /// The header's value, rounded down to seconds.
        retry_after: Option<Duration>,
    },
    /// The request is read and never answered.
    Hang,
    /// Headers at once, then sixteen bytes of the body a second.
    SlowDrip,
    /// Half of the announced body, then the connection ends.
    Truncate,
    /// 200 with `{"pairs":null}`.
    Nulls,
    /// 200 with an HTML page.
    Html,
    /// The second half of a batch is left out; single tokens are answered.
    HalfBatch,
    /// The connection is reset before an answer.
    Reset,
}

impl Fault {
    /// Whether it is on at `now`, for an exchange that started at `started`.
    pub(crate) fn is_on(&self, started: Moment, now: Moment) -> bool {
        let begins = started + self.from;
        begins <= now && now < begins + self.lasts
    }
}

/// A script line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{line:?} is no fault; expected \"at 60s for 45s: KIND\" with one of 503, 429, 429 retry-after 30s, hang, \
     slow-drip, truncate, nulls, html, half-batch, reset"
)]
pub struct InvalidFault {
    line: String,
}

impl FromStr for Fault {
    type Err = InvalidFault;

    /// Reads `at 60s for 45s: 503`; see [`InvalidFault`] for the kinds.
    fn from_str(line: &str) -> Result<Self, InvalidFault> {
        parse(line).ok_or_else(|| InvalidFault { line: line.to_owned() })
    }
}

fn parse(line: &str) -> Option<Fault> {
    let (when, kind) = line.split_once(':')?;
    let (from, lasts) = when.trim().strip_prefix("at ")?.split_once(" for ")?;
    Some(Fault { from: duration(from)?, lasts: duration(lasts)?, kind: parse_kind(kind.trim())? })
}

fn parse_kind(words: &str) -> Option<FaultKind> {
    Some(match words {
        "503" => FaultKind::Unavailable,
        "429" => FaultKind::RateLimited { retry_after: None },
        "hang" => FaultKind::Hang,
        "slow-drip" => FaultKind::SlowDrip,
        "truncate" => FaultKind::Truncate,
        "nulls" => FaultKind::Nulls,
        "html" => FaultKind::Html,
        "half-batch" => FaultKind::HalfBatch,
        "reset" => FaultKind::Reset,
        other => {
            let retry_after = Some(duration(other.strip_prefix("429 retry-after ")?)?);
            FaultKind::RateLimited { retry_after }
        }
    })
}

fn duration(text: &str) -> Option<Duration> {
    Duration::try_from(text.trim().parse::<SignedDuration>().ok()?).ok()
}

impl fmt::Display for Fault {
    /// As [`Fault::from_str`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:?} for {:?}: {}", self.from, self.lasts, self.kind)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "503",
            Self::RateLimited { retry_after: None } => "429",
            Self::RateLimited { retry_after: Some(wait) } => return write!(f, "429 retry-after {wait:?}"),
            Self::Hang => "hang",
            Self::SlowDrip => "slow-drip",
            Self::Truncate => "truncate",
            Self::Nulls => "nulls",
            Self::Html => "html",
            Self::HalfBatch => "half-batch",
            Self::Reset => "reset",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_fault_is_on_from_its_first_moment_to_before_its_last() {
        let fault = Fault { from: 60 * SECOND, lasts: 45 * SECOND, kind: FaultKind::Unavailable };
        let started = Moment::from_origin(10 * SECOND);
        let on = |seconds| fault.is_on(started, started + seconds * SECOND);
        assert!(!on(59) && on(60) && on(104) && !on(105));
        let for_ever = Fault { from: Duration::ZERO, lasts: Duration::MAX, kind: FaultKind::Hang };
        assert!(for_ever.is_on(started, Moment::from_origin(86_400 * SECOND)));
    }

    #[test]
    fn every_kind_is_written_as_it_is_read() {
        for kind in [
            FaultKind::Unavailable,
            FaultKind::RateLimited { retry_after: None },
            FaultKind::RateLimited { retry_after: Some(30 * SECOND) },
            FaultKind::Hang,
            FaultKind::SlowDrip,
            FaultKind::Truncate,
            FaultKind::Nulls,
            FaultKind::Html,
            FaultKind::HalfBatch,
            FaultKind::Reset,
        ] {
            let fault = Fault { from: 60 * SECOND, lasts: 45 * SECOND, kind };
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        let minutes = "at 1m 30s for 2h: hang".parse::<Fault>().expect("a fault");
        assert_eq!((minutes.from, minutes.lasts), (90 * SECOND, 7_200 * SECOND));
    }

    #[test]
    fn a_line_that_is_no_fault_says_what_would_be() {
        for line in [
            "",
            "at 60s: 503",
            "60s for 45s: 503",
            "at 1s for 1s: 504",
            "at -1s for 1s: 503",
            "at 1 for 1s: 503",
        ] {
            let error = line.parse::<Fault>().expect_err(line).to_string();
            assert!(error.contains("at 60s for 45s"), "{error}");
        }
    }
}
