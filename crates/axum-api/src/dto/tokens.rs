//! Models of tokens.

use serde::Serialize;
use ttm_kernel::Lane;
use ttm_market::{Basis, Components, TokenPage, TokenRow};

/// `/api/v1/tokens`: a page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokensDto {
    /// The tokens, in the requested order.
    pub tokens: Vec<TokenDto>,
    /// The opaque `cursor` of the next page, valid with the same `sort`; null at the end.
    pub next: Option<String>,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenDto {
    /// Its address.
    pub mint: String,
    /// Its symbol, once known; chosen by the creator of the token, so untrusted.
    pub symbol: Option<String>,
    /// Raw score.
    pub score: Option<f64>,
    /// Smoothed score.
    pub smoothed_score: Option<f64>,
    /// Smoothed components.
    pub components: Option<ComponentsDto>,
    /// The pools the score is computed from: `primary` or `all`.
    pub basis: Option<&'static str>,
    /// When the full list of pools was fetched, for the basis `all`.
    pub listed_at: Option<String>,
    /// Number of pools in the score.
    pub pools: u32,
    /// `hot` or `cold`; null when archived.
    pub lane: Option<&'static str>,
    /// `monitored`, `active` or `archived`.
    pub status: &'static str,
    /// Whether it is unknown to the API.
    pub unlisted: bool,
    /// When its pools were last observed.
    pub updated_at: Option<String>,
    /// Seconds since then.
    pub age_seconds: Option<f64>,
    /// Whether the age exceeds the limit of its lane.
    pub stale: bool,
}

/// The parts of a score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ComponentsDto {
    /// Acceleration of the trade count, 0 to 10.
    pub tx_accel: f64,
    /// Momentum of the volume, 0 to 15.
    pub vol_momentum: f64,
    /// 1 for a new token, 0 from six hours on.
    pub freshness: f64,
    /// Balance of buyers and sellers, −1 to 1.
    pub orderflow: f64,
}

impl From<&TokenPage> for TokensDto {
    fn from(page: &TokenPage) -> Self {
        Self {
            tokens: page.tokens.iter().map(TokenDto::from).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
        }
    }
}

impl From<&TokenRow> for TokenDto {
    fn from(row: &TokenRow) -> Self {
        Self {
            mint: row.mint.to_string(),
            symbol: row.symbol.as_deref().map(str::to_owned),
            score: row.score,
            smoothed_score: row.smoothed_score,
            components: row.components.map(ComponentsDto::from),
            basis: row.basis.map(Basis::as_str),
            listed_at: match row.basis {
                Some(Basis::All { listed_at }) => Some(listed_at.to_string()),
                Some(Basis::Primary) | None => None,
            },
            pools: row.pools,
            lane: row.lane.map(Lane::as_str),
            status: row.status.as_str(),
            unlisted: row.unlisted,
            updated_at: row.updated_at.map(|at| at.to_string()),
            age_seconds: row.age.map(|age| age.as_secs_f64()),
            stale: row.stale,
        }
    }
}

impl From<Components> for ComponentsDto {
    fn from(components: Components) -> Self {
        let Components { tx_accel, vol_momentum, freshness, orderflow } = components;
        Self { tx_accel, vol_momentum, freshness, orderflow }
    }
}
