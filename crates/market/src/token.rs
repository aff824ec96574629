//! The state of one token: facts and small rules. The transitions are the book's.

use std::fmt;

use jiff::Timestamp;
use ttm_kernel::Lane;

use crate::{Mint, Score, Smoothed};

/// Where a token is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenStatus {
    /// Watched; not yet seen with the pools that activate it.
    Monitored,
    /// Seen with a pump.fun pool and another, or with two others.
    Active,
    /// Too little liquidity for too long; no longer asked for.
    Archived,
}

impl TokenStatus {
    /// The word used in tables, answers and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monitored => "monitored",
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }

    /// The status with this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Monitored, Self::Active, Self::Archived].into_iter().find(|status| status.as_str() == word)
    }
}

impl fmt::Display for TokenStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which pools a score was computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The one pool that a batch answers with.
    Primary,
    /// The full list of pools, asked for at `listed_at`; its primary pool may have been refreshed since.
    All {
        /// When the list was fetched.
        listed_at: Timestamp,
    },
}

impl Basis {
    /// Whether both name the same kind of basis, whatever the age of the list.
    pub const fn same_kind(self, other: Self) -> bool {
        matches!((self, other), (Self::Primary, Self::Primary) | (Self::All { .. }, Self::All { .. }))
    }

    /// The word used in answers and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::All { .. } => "all",
        }
    }
}

/// The newest score of a token and its basis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreState {
    /// As computed.
    pub raw: Score,
    /// After the EWMA.
    pub smoothed: Smoothed,
    /// Which pools it was computed from.
    pub basis: Basis,
    /// How many pools counted.
    pub pools: u32,
    /// When the pools were observed.
    pub at: Timestamp,
}

/// The API did not know the token, neither in a batch nor singly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// How many times in a row.
    pub misses: u32,
    /// Not asked again before.
    pub ask_again_at: Timestamp,
}

/// The state of a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Its address.
    pub mint: Mint,
    /// Its symbol, once a pool told it.
    pub symbol: Option<Box<str>>,
    /// Where it is in its life.
    pub status: TokenStatus,
    /// When it was added; the age in the score counts from here.
    pub first_seen: Timestamp,
    /// The newest score.
    pub score: Option<ScoreState>,
    /// Since when its pools were seen to hold less than the minimum liquidity. Gaps in which that was unknown move it on; archiving
    /// clears it.
    pub below_since: Option<Timestamp>,
    /// Set while the API does not know it.
    pub unlisted: Option<Unlisted>,
}

impl Token {
    /// A token that was just added.
    pub fn new(mint: Mint, first_seen: Timestamp) -> Self {
        Self {
            mint,
            symbol: None,
            status: TokenStatus::Monitored,
            first_seen,
            score: None,
            below_since: None,
            unlisted: None,
        }
    }

    /// The smoothed score, if it has one.
    pub fn smoothed_score(&self) -> Option<f64> {
        self.score.map(|score| score.smoothed.value)
    }

    /// The lane that asks for it: hot if it is active or its smoothed score is at least the threshold, and `None` if it is
    /// archived.
    pub fn lane(&self, hot_threshold: f64) -> Option<Lane> {
        match self.status {
            TokenStatus::Archived => None,
            TokenStatus::Active => Some(Lane::Hot),
            TokenStatus::Monitored if self.smoothed_score().is_some_and(|score| score >= hot_threshold) => {
                Some(Lane::Hot)
            }
            TokenStatus::Monitored => Some(Lane::Cold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_what_it_was_written_for_and_no_other_is() {
        for (status, word) in [
            (TokenStatus::Monitored, "monitored"),
            (TokenStatus::Active, "active"),
            (TokenStatus::Archived, "archived"),
        ] {
            assert_eq!((status.as_str(), TokenStatus::parse(word)), (word, Some(status)));
            assert_eq!(format!("{status:>10}"), format!("{word:>10}"));
        }
        for word in ["", "Active", "hot", "active "] {
            assert_eq!(TokenStatus::parse(word), None, "{word}");
        }
    }
}
