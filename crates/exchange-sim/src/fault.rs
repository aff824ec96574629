//! The fault script: kinds of faults, when they are active, and their text form.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use ttm_kernel::Moment;

/// An entry of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Starts this long after the exchange.
    pub from: Duration,
    /// Lasts this long.
    pub lasts: Duration,
    /// What happens to requests that arrive in between.
    pub kind: FaultKind,
}

/// A percentage of requests or tokens.
pub type Percent = u8;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// 503 with an HTML body.
    Unavailable,
    /// Another 5xx with an HTML body: 500, 502, or one of Cloudflare's own from 520 on.
    ServerError {
        /// The status, 500 to 599; 503 is [`FaultKind::Unavailable`].
        status: u16,
    },
    /// 403 with a browser challenge page.
    Challenge,
    /// 429 with an HTML body, with or without a `Retry-After` in seconds.
    RateLimited {
        /// The value of the header, rounded down to seconds.
        retry_after: Option<Duration>,
    },
    /// The same with sixteen bytes of text instead: `error code: 1015`.
    RateLimitedText {
        /// The value of the header, rounded down to seconds.
        retry_after: Option<Duration>,
    },
    /// The request is never answered.
    Hang,
    /// Headers at once, then sixteen bytes of the body per second.
    SlowDrip,
    /// Half of the announced body, then the connection is closed.
    Truncate,
    /// A complete response with truncated JSON.
    Malformed,
    /// 200 with `{"pairs":null}`.
    Nulls,
    /// The same for a share of the requests; the others are answered correctly.
    FlakyNulls(Percent),
    /// 200 with `[]` for a share of the batches, although the tokens are listed; requests for single tokens work.
    EmptyBatch(Percent),
    /// 200 with an HTML page.
    Html,
    /// The correct body with content type `text/html`.
    WrongType,
    /// The correct body followed by eight mebibytes of blanks.
    TooLarge,
    /// The second half of a batch is missing; requests for single tokens work.
    HalfBatch,
    /// A share of the tokens is unknown, always the same ones, in batches and single requests.
    Delisted(Percent),
    /// The data as of this long ago.
    Stale(Duration),
    /// A batch returns all pools of its tokens in any order, including those where a token is the quote, preceded by a pool
    /// of another chain.
    ExtraPairs,
    /// A share of the pairs has an invalid price or address.
    BadPairs(Percent),
    /// Unknown keys, and `null` for every absent optional key.
    OddKeys,
    /// The connection is reset before a response.
    Reset,
}

impl Fault {
    /// Whether it is active at `now`, for an exchange that started at `started`.
    pub(crate) fn is_active(&self, started: Moment, now: Moment) -> bool {
        let begins = started + self.from;
        begins <= now && now < begins + self.lasts
    }
}

/// An invalid line of a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{line:?} is not a fault; expected \"at 60s for 45s: KIND\" with one of 500 to 599, 403, 429, 429 retry-after 30s, \
     429-text, 429-text retry-after 30s, hang, slow-drip, truncate, malformed, nulls, flaky-nulls 30%, empty-batch 30%, \
     html, wrong-type, too-large, half-batch, delisted 30%, stale 30s, extra-pairs, bad-pairs 30%, odd-keys, reset"
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
    let (name, rest) = words.split_once(' ').unwrap_or((words, ""));
    let retry_after = || match rest {
        "" => Some(None),
        rest => duration(rest.strip_prefix("retry-after ")?).map(Some),
    };
    Some(match (name, rest) {
        ("403", "") => FaultKind::Challenge,
        ("429", _) => FaultKind::RateLimited { retry_after: retry_after()? },
        ("429-text", _) => FaultKind::RateLimitedText { retry_after: retry_after()? },
        ("503", "") => FaultKind::Unavailable,
        ("hang", "") => FaultKind::Hang,
        ("slow-drip", "") => FaultKind::SlowDrip,
        ("truncate", "") => FaultKind::Truncate,
        ("malformed", "") => FaultKind::Malformed,
        ("nulls", "") => FaultKind::Nulls,
        ("flaky-nulls", share) => FaultKind::FlakyNulls(percent(share)?),
        ("empty-batch", share) => FaultKind::EmptyBatch(percent(share)?),
        ("html", "") => FaultKind::Html,
        ("wrong-type", "") => FaultKind::WrongType,
        ("too-large", "") => FaultKind::TooLarge,
        ("half-batch", "") => FaultKind::HalfBatch,
        ("delisted", share) => FaultKind::Delisted(percent(share)?),
        ("stale", age) => FaultKind::Stale(duration(age)?),
        ("extra-pairs", "") => FaultKind::ExtraPairs,
        ("bad-pairs", share) => FaultKind::BadPairs(percent(share)?),
        ("odd-keys", "") => FaultKind::OddKeys,
        ("reset", "") => FaultKind::Reset,
        (status, "") => {
            let status = status.parse().ok().filter(|status| (500..600).contains(status))?;
            FaultKind::ServerError { status }
        }
        _ => return None,
    })
}

fn percent(text: &str) -> Option<Percent> {
    text.trim().strip_suffix('%')?.parse().ok().filter(|share| *share <= 100)
}

fn duration(text: &str) -> Option<Duration> {
    Duration::try_from(text.trim().parse::<SignedDuration>().ok()?).ok()
}

impl fmt::Display for Fault {
    /// In the format of [`Fault::from_str`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:?} for {:?}: {}", self.from, self.lasts, self.kind)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "503",
            Self::ServerError { status } => return write!(f, "{status}"),
            Self::Challenge => "403",
            Self::RateLimited { retry_after: None } => "429",
            Self::RateLimited { retry_after: Some(wait) } => return write!(f, "429 retry-after {wait:?}"),
            Self::RateLimitedText { retry_after: None } => "429-text",
            Self::RateLimitedText { retry_after: Some(wait) } => {
                return write!(f, "429-text retry-after {wait:?}");
            }
            Self::Hang => "hang",
            Self::SlowDrip => "slow-drip",
            Self::Truncate => "truncate",
            Self::Malformed => "malformed",
            Self::Nulls => "nulls",
            Self::FlakyNulls(share) => return write!(f, "flaky-nulls {share}%"),
            Self::EmptyBatch(share) => return write!(f, "empty-batch {share}%"),
            Self::Html => "html",
            Self::WrongType => "wrong-type",
            Self::TooLarge => "too-large",
            Self::HalfBatch => "half-batch",
            Self::Delisted(share) => return write!(f, "delisted {share}%"),
            Self::Stale(age) => return write!(f, "stale {age:?}"),
            Self::ExtraPairs => "extra-pairs",
            Self::BadPairs(share) => return write!(f, "bad-pairs {share}%"),
            Self::OddKeys => "odd-keys",
            Self::Reset => "reset",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_fault_is_active_from_its_start_until_before_its_end() {
        let fault = Fault { from: 60 * SECOND, lasts: 45 * SECOND, kind: FaultKind::Unavailable };
        let started = Moment::from_origin(10 * SECOND);
        let on = |seconds| fault.is_active(started, started + seconds * SECOND);
        assert!(!on(59) && on(60) && on(104) && !on(105));
        let for_ever = Fault { from: Duration::ZERO, lasts: Duration::MAX, kind: FaultKind::Hang };
        assert!(for_ever.is_active(started, Moment::from_origin(86_400 * SECOND)));
    }

    #[test]
    fn every_kind_is_displayed_as_it_is_parsed() {
        for kind in [
            FaultKind::Unavailable,
            FaultKind::ServerError { status: 500 },
            FaultKind::ServerError { status: 520 },
            FaultKind::Challenge,
            FaultKind::RateLimited { retry_after: None },
            FaultKind::RateLimited { retry_after: Some(30 * SECOND) },
            FaultKind::RateLimitedText { retry_after: None },
            FaultKind::RateLimitedText { retry_after: Some(30 * SECOND) },
            FaultKind::Hang,
            FaultKind::SlowDrip,
            FaultKind::Truncate,
            FaultKind::Malformed,
            FaultKind::Nulls,
            FaultKind::FlakyNulls(30),
            FaultKind::EmptyBatch(100),
            FaultKind::Html,
            FaultKind::WrongType,
            FaultKind::TooLarge,
            FaultKind::HalfBatch,
            FaultKind::Delisted(0),
            FaultKind::Stale(30 * SECOND),
            FaultKind::ExtraPairs,
            FaultKind::BadPairs(10),
            FaultKind::OddKeys,
            FaultKind::Reset,
        ] {
            let fault = Fault { from: 60 * SECOND, lasts: 45 * SECOND, kind };
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        let minutes = "at 1m 30s for 2h: hang".parse::<Fault>().expect("a fault");
        assert_eq!((minutes.from, minutes.lasts), (90 * SECOND, 7_200 * SECOND));
    }

    #[test]
    fn the_error_of_an_invalid_line_has_an_example() {
        for line in [
            "",
            "at 60s: 503",
            "60s for 45s: 503",
            "at 1s for 1s: 418",
            "at 1s for 1s: 600",
            "at 1s for 1s: hang 30%",
            "at 1s for 1s: flaky-nulls",
            "at 1s for 1s: delisted 101%",
            "at 1s for 1s: 429 later",
            "at -1s for 1s: 503",
            "at 1 for 1s: 503",
        ] {
            let error = line.parse::<Fault>().expect_err(line).to_string();
            assert!(error.contains("at 60s for 45s"), "{error}");
        }
    }
}
