//! Tokens as readers see them. It changes nothing and knows no reader.

mod ages;
mod cursor;
mod index;

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use jiff::Timestamp;

use crate::{MarketConfig, Token, TokenRow, TokenSort};

pub use cursor::{InvalidTokenCursor, TokenCursor};
pub use index::{LaneAges, TokenIndex};

/// The token as a reader sees it at `now`.
///
/// A token that was never observed has no age, and is stale once it has waited longer than its lane allows. After a
/// step of the clock into the past, ages are zero.
pub fn row(token: &Token, now: Timestamp, config: &MarketConfig) -> TokenRow {
    let lane = token.lane(config.hot_threshold());
    let updated_at = token.score.map(|score| score.at);
    let since =
        |earlier: Timestamp| Duration::try_from(now.duration_since(earlier)).unwrap_or(Duration::ZERO);
    TokenRow {
        mint: token.mint,
        symbol: token.symbol.clone(),
        score: token.score.map(|score| score.raw.value),
        smoothed_score: token.smoothed_score(),
        components: token.score.map(|score| score.smoothed.components),
        basis: token.score.map(|score| score.basis),
        pools: token.score.map_or(0, |score| score.pools),
        lane,
        status: token.status,
        unlisted: token.unlisted.is_some(),
        updated_at,
        age: updated_at.map(since),
        stale: since(updated_at.unwrap_or(token.first_seen)) > config.stale_after(lane),
    }
}

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
