//! The facts that go into the machine, as plain data: made by the driver and by requests.

use jiff::Timestamp;
use ttm_dispatch::End;
use ttm_kernel::Moment;
use ttm_market::{Mint, Pair, Skipped};

/// When a fact became known, on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and durations.
    pub moment: Moment,
    /// For what people read and stores keep.
    pub wall: Timestamp,
}

/// What upstream allows at the moment, as the guard knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Upstream {
    /// Whether the breaker holds calls back, except for its probes.
    pub is_away: bool,
    /// When the breaker admits a call again; `None` while it admits calls.
    pub retry_at: Option<Moment>,
    /// The share of the budget in use: less than 1 after upstream limited the rate.
    pub share: f64,
    /// Until when upstream asked for no requests; `None` if it did not.
    pub paused_until: Option<Moment>,
}

impl Default for Upstream {
    /// Available, with the whole budget.
    fn default() -> Self {
        Self { is_away: false, retry_at: None, share: 1.0, paused_until: None }
    }
}

/// Identifies a request that the machine asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(crate) u64);

/// How a request ended.
#[derive(Debug)]
pub enum Answer {
    /// Upstream answered.
    Found(Found),
    /// It did not.
    Failed(Failed),
    /// The request panicked, saying this in a line, and may panic again on the same answer.
    Panicked(String),
    /// The request was aborted, because it hung or nothing wants its answer any more.
    Aborted,
}

impl Answer {
    pub(super) const fn end(&self) -> End {
        match self {
            Self::Found(_) => End::Answered,
            Self::Failed(Failed { may_be_the_tokens: false, .. }) => End::Failed,
            Self::Failed(_) | Self::Panicked(_) | Self::Aborted => End::Blamed,
        }
    }

    /// What it holds, or where it failed and how.
    pub(super) fn into_found(self) -> Result<Found, (Origin, String)> {
        match self {
            Self::Found(found) => Ok(found),
            Self::Failed(failed) => Err((Origin::Upstream, failed.message)),
            Self::Panicked(message) => Err((Origin::Here, format!("the request panicked: {message}"))),
            Self::Aborted => Err((Origin::Here, "the request was aborted".to_owned())),
        }
    }
}

/// Where a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Upstream, or on the way there.
    Upstream,
    /// In this process: restarting its group may help.
    Here,
}

/// What an answer holds.
#[derive(Debug, Default)]
pub struct Found {
    /// Every token that was asked for, in that order, with what was seen of it.
    pub seen: Vec<(Mint, Seen)>,
    /// Pairs that were left out, by reason.
    pub skipped: Skipped,
    /// Whether a batch of several tokens came back without a single pair at least once.
    pub suspicious: bool,
}

/// What was seen of one token.
#[derive(Debug)]
pub enum Seen {
    /// Its primary pool.
    Primary(Vec<Pair>),
    /// All its pools.
    All(Vec<Pair>),
    /// The answer does not contain it.
    Missing,
    /// The answer contains it, but none of its pairs can be read: it is listed, and its state is unknown. Holds what is
    /// wrong with it.
    Unusable(Box<str>),
}

impl Seen {
    /// Whether this proves that upstream lists the token.
    pub(super) fn is_listed(&self) -> bool {
        match self {
            Self::Primary(pairs) | Self::All(pairs) => !pairs.is_empty(),
            Self::Unusable(_) => true,
            Self::Missing => false,
        }
    }
}

/// Why a request has no answer.
#[derive(Debug)]
pub struct Failed {
    /// Whether the tokens may be the cause: the request was rejected as invalid, or it brought nothing usable although
    /// upstream is available.
    pub may_be_the_tokens: bool,
    /// What happened.
    pub message: String,
}
