//! The JSON of the API, as recorded: field names, decimal texts, and keys that are absent rather than null.
//!
//! What the market does not generate (longer windows, price changes, valuations) is derived from what it does. No score
//! depends on it; it gives the bodies their real shape and size.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use ttm_market::synthetic::SyntheticPool;
use ttm_market::{Mint, Trades};

/// Serializes a value as a body.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("finite numbers and text are always JSON").into()
}

/// `{pairs}` of the older endpoints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope<'a> {
    pub(crate) schema_version: &'static str,
    pub(crate) pairs: Option<Vec<PairJson<'a>>>,
}

/// One pair.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PairJson<'a> {
    chain_id: &'a str,
    dex_id: &'a str,
    url: String,
    pair_address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<[&'static str; 1]>,
    base_token: TokenJson<'a>,
    quote_token: TokenJson<'a>,
    price_native: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_usd: Option<String>,
    txns: Windows<Sides>,
    volume: Windows<f64>,
    price_change: PriceChange,
    #[serde(skip_serializing_if = "Option::is_none")]
    liquidity: Option<Liquidity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fdv: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    market_cap: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pair_created_at: Option<i64>,
}

#[derive(Serialize)]
struct TokenJson<'a> {
    address: String,
    name: &'a str,
    symbol: &'a str,
}

#[derive(Serialize)]
struct Windows<T> {
    m5: T,
    h1: T,
    h6: T,
    h24: T,
}

#[derive(Serialize)]
struct Sides {
    buys: u64,
    sells: u64,
}

#[derive(Serialize)]
struct PriceChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    m5: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    h1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    h6: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    h24: Option<f64>,
}

#[derive(Serialize)]
struct Liquidity {
    usd: f64,
    base: f64,
    quote: f64,
}

/// The supply of every token.
const SUPPLY: f64 = 1e9;

/// The pool as JSON.
pub(crate) fn pair<'a>(chain: &'a str, pool: &'a SyntheticPool) -> PairJson<'a> {
    let SyntheticPool { pair, price_native, quote_symbol } = pool;
    let roll = roll(&pair.address);
    let supply_value = pair.price_usd.map(|price| cents(price * SUPPLY));
    PairJson {
        chain_id: chain,
        dex_id: &pair.dex,
        url: format!("https://dexscreener.com/{chain}/{}", pair.address.to_lowercase()),
        pair_address: &pair.address,
        labels: (roll >= 0.62).then_some(["CPMM"]),
        base_token: token(&pair.base.mint, &pair.base.symbol),
        quote_token: token(&pair.quote, quote_symbol),
        price_native: price_native.to_string(),
        price_usd: pair.price_usd.map(|price| price.to_string()),
        txns: Windows {
            m5: sides(pair.trades_5m, 1),
            h1: sides(pair.trades_1h, 1),
            h6: sides(pair.trades_1h, 5),
            h24: sides(pair.trades_1h, 18),
        },
        volume: Windows {
            m5: cents(pair.volume_5m_usd),
            h1: cents(pair.volume_1h_usd),
            h6: cents(pair.volume_1h_usd * 5.0),
            h24: cents(pair.volume_1h_usd * 18.0),
        },
        // Absent in 85, 72, 56 and 20 of 100 recorded pairs; a shorter window is never present without the longer ones.
        price_change: PriceChange {
            m5: (roll >= 0.85).then_some(cents(roll)),
            h1: (roll >= 0.72).then_some(cents(roll * 4.0 - 3.0)),
            h6: (roll >= 0.56).then_some(cents(roll * 20.0 - 14.0)),
            h24: (roll >= 0.20).then_some(cents(roll * 60.0 - 30.0)),
        },
        liquidity: pair.liquidity_usd.map(|usd| Liquidity {
            usd: cents(usd),
            base: pair.price_usd.map_or(0.0, |price| (usd / 2.0 / price).round()),
            quote: pair.price_usd.map_or(0.0, |price| usd / 2.0 / price * price_native),
        }),
        fdv: supply_value.filter(|_| roll >= 0.01),
        market_cap: supply_value.filter(|_| roll >= 0.03),
        pair_created_at: pair.created_at.map(Timestamp::as_millisecond),
    }
}

fn token<'a>(mint: &Mint, symbol: &'a str) -> TokenJson<'a> {
    TokenJson { address: mint.to_string(), name: symbol, symbol }
}

const fn sides(trades: Trades, times: u64) -> Sides {
    Sides { buys: trades.buys.saturating_mul(times), sells: trades.sells.saturating_mul(times) }
}

fn cents(usd: f64) -> f64 {
    (usd * 100.0).round() / 100.0
}

/// A number in `[0, 1)` from the hash of an address (FNV-1a), so that the same keys and tokens are always missing.
pub(crate) fn roll(address: &str) -> f64 {
    let hash = address.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 44) as f64 / f64::from(1_u32 << 20)
}
