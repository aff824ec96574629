//! What readers ask of the tokens, and the page that they get.

use ttm_kernel::Lane;

use super::{TokenCursor, TokenRow, TokenSort};
use crate::TokenStatus;

/// A bounded question for tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenQuery {
    /// At most this many rows.
    pub limit: usize,
    /// Rows after this place, the `next` of the page before.
    pub cursor: Option<TokenCursor>,
    /// Only this lane.
    pub lane: Option<Lane>,
    /// Only this status.
    pub status: Option<TokenStatus>,
    /// The order.
    pub sort: TokenSort,
}

/// A page of tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenPage {
    /// The rows.
    pub tokens: Vec<TokenRow>,
    /// The cursor of the next page; `None` at the end.
    pub next: Option<TokenCursor>,
}
