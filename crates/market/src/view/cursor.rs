//! Where a page ended: a place in one of the orders, as text that a caller passes back.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::{Mint, Token, TokenRow, TokenSort};

/// A place in the order of a page: what the order looks at, and the mint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenCursor {
    pub(super) key: Key,
    pub(super) mint: Mint,
}

/// What an order looks at before the mint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Key {
    Score(Option<f64>),
    Age(Option<Timestamp>),
    Mint,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor, expected the next of the page before")]
pub struct InvalidTokenCursor;

impl TokenCursor {
    /// The place of this row.
    pub const fn of(sort: TokenSort, row: &TokenRow) -> Self {
        let key = match sort {
            TokenSort::Score => Key::Score(row.smoothed_score),
            TokenSort::Age => Key::Age(row.updated_at),
            TokenSort::Mint => Key::Mint,
        };
        Self { key, mint: row.mint }
    }

    pub(super) fn of_token(sort: TokenSort, token: &Token) -> Self {
        let key = match sort {
            TokenSort::Score => Key::Score(token.smoothed_score()),
            TokenSort::Age => Key::Age(token.score.map(|score| score.at)),
            TokenSort::Mint => Key::Mint,
        };
        Self { key, mint: token.mint }
    }

    /// The same place beside another mint.
    #[must_use]
    pub const fn beside(self, mint: Mint) -> Self {
        Self { key: self.key, mint }
    }

    /// The order in which it is a place.
    pub const fn sort(&self) -> TokenSort {
        match self.key {
            Key::Score(_) => TokenSort::Score,
            Key::Age(_) => TokenSort::Age,
            Key::Mint => TokenSort::Mint,
        }
    }
}

/// The order, what it looks at to the last bit, and the mint; of characters that need no escape in a query.
impl fmt::Display for TokenCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mint = self.mint;
        match self.key {
            Key::Score(Some(score)) => write!(f, "score~{:x}~{mint}", score.to_bits()),
            Key::Age(Some(at)) => write!(f, "age~{}~{mint}", at.as_nanosecond()),
            Key::Score(None) => write!(f, "score~~{mint}"),
            Key::Age(None) => write!(f, "age~~{mint}"),
            Key::Mint => write!(f, "mint~~{mint}"),
        }
    }
}

impl FromStr for TokenCursor {
    type Err = InvalidTokenCursor;

    fn from_str(text: &str) -> Result<Self, InvalidTokenCursor> {
        let mut parts = text.split('~');
        let (Some(sort), Some(value), Some(mint), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidTokenCursor);
        };
        let key = match (sort, value) {
            ("score", "") => Key::Score(None),
            ("score", bits) => {
                let bits = u64::from_str_radix(bits, 16).map_err(|_| InvalidTokenCursor)?;
                Key::Score(Some(f64::from_bits(bits)))
            }
            ("age", "") => Key::Age(None),
            ("age", nanoseconds) => {
                let nanoseconds = nanoseconds.parse().map_err(|_| InvalidTokenCursor)?;
                Key::Age(Some(Timestamp::from_nanosecond(nanoseconds).map_err(|_| InvalidTokenCursor)?))
            }
            ("mint", "") => Key::Mint,
            _ => return Err(InvalidTokenCursor),
        };
        Ok(Self { key, mint: mint.parse().map_err(|_| InvalidTokenCursor)? })
    }
}
