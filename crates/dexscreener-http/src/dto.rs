//! The API's JSON, field by field as it arrives. It judges nothing beyond the types.
//!
//! Keys that are not named here are ignored. Text is borrowed from the body where it has no escapes.

use std::borrow::Cow;
use std::ops::Deref;

use serde::{Deserialize, Deserializer};

/// A key of an object: the API means different things by leaving it out and by `null`.
#[derive(Debug, Default)]
pub(crate) enum Field<T> {
    #[default]
    Absent,
    Null,
    Given(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::deserialize(from).map(|value| value.map_or(Self::Null, Self::Given))
    }
}

/// Text, borrowed from the body where it has no escapes: inside of an `Option` serde would copy a plain `Cow`.
#[derive(Debug, Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// `{pairs}`, `{pair}` or both, with pairs of whatever type they are read as.
#[derive(Debug, Deserialize)]
#[serde(bound = "P: Deserialize<'de>")]
pub(crate) struct Envelope<P> {
    #[serde(default)]
    pub(crate) pairs: Field<Vec<P>>,
    #[serde(default)]
    pub(crate) pair: Field<P>,
}

/// One pair. What the market has no use for (`url`, `priceChange`, `fdv`, `info`, …) is left out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PairDto<'a> {
    #[serde(borrow)]
    pub(crate) chain_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) dex_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) pair_address: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) base_token: TokenDto<'a>,
    #[serde(borrow)]
    pub(crate) quote_token: TokenDto<'a>,
    /// A decimal text, with up to 35 decimals.
    #[serde(borrow, default)]
    pub(crate) price_usd: Option<Text<'a>>,
    #[serde(default)]
    pub(crate) txns: Option<Windows<SidesDto>>,
    #[serde(default)]
    pub(crate) volume: Option<Windows<f64>>,
    #[serde(default)]
    pub(crate) liquidity: Option<LiquidityDto>,
    /// Milliseconds since 1970.
    #[serde(default)]
    pub(crate) pair_created_at: Option<i64>,
}

/// One side of a pair. Bodies of 2022 have a quote token without an address.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenDto<'a> {
    #[serde(borrow, default)]
    pub(crate) address: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) symbol: Option<Text<'a>>,
}

/// The windows that a score needs; `h6` and `h24` are not read.
#[derive(Debug, Deserialize)]
pub(crate) struct Windows<T> {
    #[serde(default = "none")]
    pub(crate) m5: Option<T>,
    #[serde(default = "none")]
    pub(crate) h1: Option<T>,
}

/// A plain `#[serde(default)]` would ask `T` for a default that nobody uses.
const fn none<T>() -> Option<T> {
    None
}

/// Counts of trades.
#[derive(Debug, Deserialize)]
pub(crate) struct SidesDto {
    #[serde(default)]
    pub(crate) buys: Option<u64>,
    #[serde(default)]
    pub(crate) sells: Option<u64>,
}

/// Liquidity; `base` and `quote` are not read.
#[derive(Debug, Deserialize)]
pub(crate) struct LiquidityDto {
    #[serde(default)]
    pub(crate) usd: Option<f64>,
}
