//! Decoding of envelopes and pairs, valid and invalid.

use crate::bodies::{ASKED, OTHER, full_pair, pair_with, pair_without};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use ttm_dexscreener_http::{Decoded, Undecodable, decode};
use ttm_market::{Mint, Pair, PairBatch, SkipReason, Trades};

fn batch(body: &Value) -> PairBatch {
    match decode(body.to_string().as_bytes(), "solana", &[ASKED]) {
        Ok(Decoded::Pairs(batch)) => batch,
        other => panic!("{other:?}"),
    }
}

/// The only pair of a body with one pair.
#[track_caller]
fn kept(pair: &Value) -> Pair {
    let batch = batch(&json!([pair]));
    assert_eq!(batch.skipped.total(), 0, "{:?}", batch.skipped);
    batch.pairs.into_iter().next().expect("one pair")
}

/// Why the only pair of a body was skipped.
#[track_caller]
fn skipped(pair: &Value) -> SkipReason {
    let batch = batch(&json!([pair]));
    assert_eq!(batch.pairs, []);
    batch.skipped.iter().next().expect("one reason").0
}

#[test]
fn every_field_is_decoded() {
    let pair = kept(&full_pair(ASKED));
    assert_eq!(&*pair.address, "Pool1111111111111111111111111111111111111111");
    assert_eq!(&*pair.dex, "raydium");
    assert_eq!((pair.base.mint, &*pair.base.symbol), (ASKED, "TKN"));
    assert_eq!(pair.quote, Mint::WSOL);
    assert_eq!(pair.price_usd, Some(0.001_698));
    assert_eq!(pair.trades_5m, Trades { buys: 3, sells: 1 });
    assert_eq!(pair.trades_1h, Trades { buys: 20, sells: 4 });
    assert_eq!((pair.volume_5m_usd, pair.volume_1h_usd), (15.0, 1781.77));
    assert_eq!(pair.liquidity_usd, Some(155_990.61));
    assert_eq!(pair.created_at.map(Timestamp::as_millisecond), Some(1_762_367_727_000));
}

#[test]
fn every_envelope_is_decoded() {
    let pair = full_pair(ASKED);
    for body in [
        json!([pair]),
        json!({"schemaVersion": "1.0.0", "pairs": [pair]}),
        json!({"schemaVersion": "1.0.0", "pairs": [pair], "pair": pair}),
        json!({"pairs": null, "pair": pair}),
        json!({"pair": pair}),
    ] {
        assert_eq!(batch(&body).pairs.len(), 1, "{body}");
    }
    for body in ["null", " null\n", r#"{"pairs":null}"#, r#"{"pair":null}"#, r#"{"pairs":null,"pair":null}"#]
    {
        assert_eq!(decode(body.as_bytes(), "solana", &[ASKED]).expect(body), Decoded::Null);
    }
    assert_eq!(batch(&json!([])), PairBatch::default());
    assert_eq!(batch(&json!({"pairs": []})), PairBatch::default());
}

#[test]
fn a_body_that_is_not_an_envelope_is_refused_with_a_reason() {
    let refuse = |body: &[u8]| decode(body, "solana", &[ASKED]).expect_err("no envelope");
    assert!(matches!(refuse(br#"{"orders":[],"boosts":[]}"#), Undecodable::NoList { .. }));
    assert!(matches!(refuse(b"{}"), Undecodable::NoList { .. }));
    assert!(matches!(refuse(b"7"), Undecodable::NoList { .. }));
    assert!(matches!(refuse(b""), Undecodable::NotJson(_)));
    assert!(matches!(refuse(b"[{}"), Undecodable::NotJson(_)));
    assert!(matches!(refuse(b"[] []"), Undecodable::NotJson(_)));
    assert!(matches!(refuse(br#"{"pairs":7}"#), Undecodable::NotJson(_)));
    assert!(matches!(refuse(b"<!DOCTYPE html>"), Undecodable::NotJson(_)));
    assert!(matches!(refuse(b"[\"\xff\"]"), Undecodable::NoneReadable { entries: 1, .. }));
    assert!(matches!(refuse(b"[\xff]"), Undecodable::NotJson(_)));
}

#[test]
fn an_optional_field_may_be_absent_null_or_empty() {
    for (key, empty) in
        [("priceUsd", json!("")), ("liquidity", json!({})), ("txns", json!({})), ("volume", json!({}))]
    {
        let absent = kept(&pair_without(key));
        assert_eq!(absent, kept(&pair_with(key, Value::Null)), "{key}");
        assert_eq!(absent, kept(&pair_with(key, empty)), "{key}");
    }
    for key in ["url", "labels", "priceChange", "fdv", "marketCap", "info", "boosts", "pairCreatedAt"] {
        assert_eq!(kept(&pair_without(key)), kept(&pair_with(key, Value::Null)), "{key}");
    }
    assert_eq!(kept(&pair_without("liquidity")).liquidity_usd, None, "unknown is not zero");
    assert_eq!(kept(&pair_with("liquidity", json!({"usd": 0}))).liquidity_usd, Some(0.0));
    assert_eq!(kept(&pair_without("priceUsd")).price_usd, None, "absent is not price zero");
    assert_eq!(kept(&pair_with("txns", json!({"m5": {"buys": 2}}))).trades_5m, Trades { buys: 2, sells: 0 });
    let without_5m = kept(&pair_with("volume", json!({"m5": null, "h1": 2})));
    assert!((without_5m.volume_5m_usd, without_5m.volume_1h_usd) == (0.0, 2.0));
}

#[test]
fn a_pair_with_a_missing_or_null_required_field_is_skipped() {
    for key in ["chainId", "dexId", "pairAddress", "baseToken", "quoteToken"] {
        assert_eq!(skipped(&pair_without(key)), SkipReason::Malformed, "{key}");
        assert_eq!(skipped(&pair_with(key, Value::Null)), SkipReason::Malformed, "{key}");
    }
    let of_2022 = json!({"symbol": "SOL"});
    assert_eq!(skipped(&pair_with("quoteToken", of_2022)), SkipReason::Malformed, "a symbol is easily faked");
}

#[test]
fn a_pair_with_control_characters_or_too_long_a_name_is_skipped() {
    for key in ["pairAddress", "dexId"] {
        for name in ["a\u{7}b".into(), "\u{85}".into(), "x".repeat(129)] {
            assert_eq!(skipped(&pair_with(key, json!(name))), SkipReason::Malformed, "{key}: {name:?}");
        }
        kept(&pair_with(key, json!("x".repeat(128))));
        kept(&pair_with(key, json!("prägnant 🚀")));
    }
}

#[test]
fn a_price_is_a_decimal_text_greater_than_zero() {
    let price = |text: &str| pair_with("priceUsd", json!(text));
    assert_eq!(kept(&price("0.00000000000000000000000000000000042")).price_usd, Some(4.2e-34));
    for text in ["0", "0.0", "-1", "NaN", "inf", "1e400", "1,5", "$1", " "] {
        assert_eq!(skipped(&price(text)), SkipReason::BadPrice, "{text}");
    }
    assert_eq!(kept(&pair_with("priceUsd", json!(0.5))).price_usd, Some(0.5));
    assert_eq!(kept(&pair_with("priceUsd", json!(3))).price_usd, Some(3.0));
    for value in [json!(0), json!(-1), json!(true), json!([1]), json!({"usd": 1}), json!({})] {
        assert_eq!(skipped(&pair_with("priceUsd", value.clone())), SkipReason::BadPrice, "{value}");
    }
}

#[test]
fn a_pair_with_an_impossible_number_is_skipped() {
    for (key, value) in [
        ("volume", json!({"m5": -1})),
        ("volume", json!({"m5": "12"})),
        ("liquidity", json!({"usd": -0.5})),
        ("txns", json!({"m5": {"buys": -1}})),
        ("txns", json!({"m5": {"buys": 1.5}})),
    ] {
        assert_eq!(skipped(&pair_with(key, value.clone())), SkipReason::Malformed, "{key} {value}");
    }
    let whole = json!({"m5": {"buys": 3.0, "sells": 2e2}});
    assert_eq!(kept(&pair_with("txns", whole)).trades_5m, Trades { buys: 3, sells: 200 });
}

#[test]
fn a_pair_that_was_not_requested_is_skipped_with_its_reason() {
    assert_eq!(skipped(&pair_with("chainId", json!("base"))), SkipReason::OtherChain);
    assert_eq!(skipped(&full_pair(OTHER)), SkipReason::NotAsked);
    let mut quote_side = full_pair(OTHER);
    quote_side["quoteToken"]["address"] = json!(ASKED.to_string());
    assert_eq!(skipped(&quote_side), SkipReason::QuoteSide);
    for side in ["baseToken", "quoteToken"] {
        let mut pair = full_pair(ASKED);
        pair[side]["address"] = json!("0x1f9840a85d5aF5bf1D1762F925BDADdC4201F984");
        assert_eq!(skipped(&pair), SkipReason::BadAddress);
    }
    let lower_case = ASKED.to_string().to_lowercase();
    let other_case = pair_with("baseToken", json!({"address": lower_case, "symbol": "TKN"}));
    assert_ne!(skipped(&other_case), SkipReason::QuoteSide, "addresses are case-sensitive");
}

#[test]
fn a_bad_pair_is_skipped_alone() {
    let body = json!([full_pair(ASKED), null, 7, [], {}, "x", full_pair(OTHER), full_pair(ASKED)]);
    let batch = batch(&body);
    assert_eq!(batch.pairs.len(), 2);
    assert_eq!(batch.skipped.count(SkipReason::Malformed), 5);
    assert_eq!(batch.skipped.count(SkipReason::NotAsked), 1);
}

#[test]
fn a_symbol_is_truncated_and_cleaned_and_may_have_escapes() {
    let symbol =
        |text: String| kept(&pair_with("baseToken", json!({"address": ASKED.to_string(), "symbol": text})));
    assert_eq!(&*symbol("a\"b\u{1b}[31m\nc".to_owned()).base.symbol, "a\"b[31mc");
    assert_eq!(symbol("🔥".repeat(500)).base.symbol.chars().count(), 32);
    assert_eq!(&*kept(&pair_with("baseToken", json!({"address": ASKED.to_string()}))).base.symbol, "");
    assert_eq!(skipped(&pair_with("dexId", json!("x".repeat(500)))), SkipReason::Malformed);
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _any_verdict = decode(&body, "solana", &[ASKED]);
    }

    #[test]
    fn pairs_of_a_damaged_body_are_valid(
        position in any::<prop::sample::Index>(),
        replacement in prop::collection::vec(any::<u8>(), 0..4),
        removed in 0_usize..4,
    ) {
        let mut body = json!({"pairs": [full_pair(ASKED), full_pair(OTHER)], "pair": null}).to_string().into_bytes();
        let start = position.index(body.len());
        let end = body.len().min(start + removed);
        body.splice(start..end, replacement);
        if let Ok(Decoded::Pairs(batch)) = decode(&body, "solana", &[ASKED]) {
            for pair in batch.pairs {
                prop_assert_eq!(pair.base.mint, ASKED);
                prop_assert!(pair.price_usd.is_none_or(|price| price.is_finite() && price > 0.0));
                prop_assert!(pair.liquidity_usd.is_none_or(|usd| usd.is_finite() && usd >= 0.0));
                prop_assert!(pair.volume_5m_usd >= 0.0 && pair.volume_1h_usd >= 0.0);
            }
        }
    }

    #[test]
    fn a_truncated_body_is_refused(position in any::<prop::sample::Index>()) {
        let body = json!([full_pair(ASKED), full_pair(OTHER)]).to_string();
        let end = position.index(body.len());
        prop_assert!(decode(&body.as_bytes()[..end], "solana", &[ASKED]).is_err());
    }
}
