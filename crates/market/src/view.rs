//! Tokens as readers see them. It changes nothing and knows no reader.

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use jiff::Timestamp;

use crate::{MarketConfig, Token, TokenPage, TokenQuery, TokenRow, TokenSort};

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

/// The page that answers the query, as its tokens are at `now`. The cursor is the mint of the last row of the page before;
/// one that is not among the matching tokens gives an empty last page, as a limit of 0 does.
pub fn page<'a>(
    tokens: impl Iterator<Item = &'a Token>,
    query: &TokenQuery,
    now: Timestamp,
    config: &MarketConfig,
) -> TokenPage {
    let mut tokens: Vec<&Token> = tokens
        .filter(|token| {
            query.lane.is_none_or(|lane| token.lane(config.hot_threshold()) == Some(lane))
                && query.status.is_none_or(|status| token.status == status)
        })
        .collect();
    tokens.sort_unstable_by(|a, b| order(query.sort, a, b));
    let after = match query.cursor {
        Some(cursor) => {
            tokens.iter().position(|token| token.mint == cursor).map_or(tokens.len(), |at| at + 1)
        }
        None => 0,
    };
    let rest = &tokens[after..];
    let shown = &rest[..query.limit.min(rest.len())];
    let next = shown.last().filter(|_| rest.len() > query.limit).map(|token| token.mint);
    TokenPage { tokens: shown.iter().map(|token| row(token, now, config)).collect(), next }
}

fn order(sort: TokenSort, a: &Token, b: &Token) -> Ordering {
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
