//! Handmade bodies with all fields of the API.

use serde_json::{Value, json};
use ttm_market::Mint;

/// The token that most tests request.
pub(crate) const ASKED: Mint = Mint::from_bytes([0x41; 32]);
/// Another one.
pub(crate) const OTHER: Mint = Mint::from_bytes([0x42; 32]);

/// A pair with every field, of `base` against WSOL.
pub(crate) fn full_pair(base: Mint) -> Value {
    json!({
        "chainId": "solana",
        "dexId": "raydium",
        "url": "https://dexscreener.com/solana/pool",
        "pairAddress": "Pool1111111111111111111111111111111111111111",
        "labels": ["CPMM"],
        "baseToken": {"address": base.to_string(), "name": "A token", "symbol": "TKN"},
        "quoteToken": {"address": Mint::WSOL.to_string(), "name": "Wrapped SOL", "symbol": "SOL"},
        "priceNative": "0.00002620",
        "priceUsd": "0.001698",
        "txns": {
            "m5": {"buys": 3, "sells": 1}, "h1": {"buys": 20, "sells": 4},
            "h6": {"buys": 36, "sells": 78}, "h24": {"buys": 107, "sells": 145}
        },
        "volume": {"h24": 34543.03, "h6": 14122.97, "h1": 1781.77, "m5": 15},
        "priceChange": {"m5": -0.48, "h1": 1, "h6": 4.8, "h24": -8.34},
        "liquidity": {"usd": 155_990.61, "base": 45_928_686, "quote": 1203.1392},
        "fdv": 1_697_186,
        "marketCap": 1_697_100,
        "pairCreatedAt": 1_762_367_727_000_i64,
        "info": {"imageUrl": "", "websites": [], "socials": []},
        "boosts": {"active": 10}
    })
}

/// The full pair with one key set to something else.
pub(crate) fn pair_with(key: &str, value: Value) -> Value {
    let mut pair = full_pair(ASKED);
    pair[key] = value;
    pair
}

/// The full pair without one key.
pub(crate) fn pair_without(key: &str) -> Value {
    let mut pair = full_pair(ASKED);
    pair.as_object_mut().expect("a pair is an object").remove(key);
    pair
}
