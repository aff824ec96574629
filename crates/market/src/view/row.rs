//! A token as readers see it, and the orders in which they can ask for it.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::Lane;

use crate::{Basis, Components, MarketConfig, Mint, Token, TokenStatus};

/// One token as a reader sees it: `/api/v1/tokens` and `ttm tokens list`.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenRow {
    /// Its address.
    pub mint: Mint,
    /// Its symbol, once known.
    pub symbol: Option<Box<str>>,
    /// Raw score.
    pub score: Option<f64>,
    /// Smoothed score.
    pub smoothed_score: Option<f64>,
    /// Smoothed components.
    pub components: Option<Components>,
    /// What the score rests on.
    pub basis: Option<Basis>,
    /// How many pools counted.
    pub pools: u32,
    /// Its lane; `None` if archived.
    pub lane: Option<Lane>,
    /// Where it is in its life.
    pub status: TokenStatus,
    /// Whether the API does not know it.
    pub unlisted: bool,
    /// When its pools were last observed.
    pub updated_at: Option<Timestamp>,
    /// Time since then.
    pub age: Option<Duration>,
    /// Whether that is longer than its lane allows.
    pub stale: bool,
}

/// The order of a page of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenSort {
    /// Highest smoothed score first, then by mint.
    #[default]
    Score,
    /// Longest without an observation first, then by mint.
    Age,
    /// By mint.
    Mint,
}

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
