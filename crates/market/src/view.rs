//! Tokens as readers see them: pages in several orders, rows and cursors.

mod ages;
mod cursor;
mod index;
mod query;
mod row;

use std::cmp::{Ordering, Reverse};

use crate::Token;

pub use cursor::{InvalidTokenCursor, TokenCursor};
pub use index::{LaneAges, TokenIndex};
pub use query::{TokenPage, TokenQuery};
pub use row::{TokenRow, TokenSort, row};

/// The order of a page.
pub(crate) fn order(sort: TokenSort, a: &Token, b: &Token) -> Ordering {
    let first = match sort {
        // No score sorts below every score, so it comes last.
        TokenSort::Score => highest_first(a.smoothed_score(), b.smoothed_score()),
        // Never observed sorts before every time.
        TokenSort::Age => a.score.map(|score| score.at).cmp(&b.score.map(|score| score.at)),
        TokenSort::Mint => Ordering::Equal,
    };
    first.then_with(|| a.mint.cmp(&b.mint))
}

/// Orders scores from high to low, and none after all of them.
pub(crate) fn highest_first(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => Reverse(a.is_some()).cmp(&Reverse(b.is_some())),
    }
}
