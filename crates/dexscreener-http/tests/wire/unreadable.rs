//! The messages about unreadable pairs: the mint and the invalid value, short and escaped for a terminal.

use serde_json::json;
use ttm_dexscreener_http::{Decoded, decode};
use ttm_market::Mint;

use crate::bodies::{ASKED, OTHER, full_pair};

/// The message about the requested token if this key of its pair has this JSON; the body also has a valid pair.
fn said(key: &str, json: &str) -> Option<String> {
    const MARK: &str = "7777777";
    let mut pair = full_pair(ASKED);
    *pair.pointer_mut(key).expect("a key of the full pair") = json!(7_777_777);
    let body = format!("[{},{}]", pair.to_string().replacen(MARK, json, 1), full_pair(OTHER));
    let Ok(Decoded::Pairs(batch)) = decode(body.as_bytes(), "solana", &[ASKED, OTHER]) else {
        panic!("a list: {body}");
    };
    assert!(batch.unreadable.keys().all(|mint| *mint == ASKED));
    assert_eq!(batch.unreadable.len() as u64, batch.skipped.total(), "{body}");
    batch.unreadable.get(&ASKED).map(ToString::to_string)
}

#[test]
fn the_invalid_value_is_quoted() {
    for (key, json, expected) in [
        ("/priceUsd", r#""abc""#, r#"priceUsd "abc""#),
        ("/priceUsd", r#""NaN""#, r#"priceUsd "NaN""#),
        ("/priceUsd", "-1", "priceUsd -1"),
        ("/priceUsd", "{}", "priceUsd {}"),
        ("/volume/m5", "-3", "volume.m5 -3"),
        ("/volume/h1", "-0.5", "volume.h1 -0.5"),
        ("/liquidity/usd", "-2", "liquidity.usd -2"),
        ("/dexId", r#""""#, r#"dexId """#),
        ("/quoteToken/address", r#""0x12""#, r#"quoteToken.address "0x12""#),
    ] {
        assert_eq!(said(key, json).as_deref(), Some(expected), "{key} {json}");
    }
    let of_another_type = said("/volume/m5", r#""15""#).expect("said");
    assert!(of_another_type.starts_with(r#"invalid type: string \"15\", expected f64"#), "{of_another_type}");
    assert_eq!(said("/priceUsd", r#""0.5""#), None);
}

#[test]
fn the_quoted_value_is_truncated_and_escaped() {
    let hostile = format!(r#""\u001b[2J\n\u202e\"{}""#, "x".repeat(100_000));
    for key in ["/priceUsd", "/dexId", "/quoteToken/address", "/volume/m5"] {
        let said = said(key, &hostile).expect("said");
        assert!(said.chars().count() < 600, "{key}: {} characters", said.chars().count());
        let is_plain = |c: char| c.is_ascii_graphic() || c == ' ' || c == '…';
        assert!(said.chars().all(is_plain), "{key}: {said:?}");
    }
}

#[test]
fn an_unreadable_pair_of_another_mint_is_not_reported() {
    let stranger = full_pair(Mint::from_bytes([0x43; 32]));
    let mut bad = stranger.clone();
    bad["priceUsd"] = json!("abc");
    let mut unread = stranger;
    unread["volume"] = json!({ "m5": "x" });
    let body = json!([bad, unread, full_pair(OTHER)]).to_string();
    let Ok(Decoded::Pairs(batch)) = decode(body.as_bytes(), "solana", &[ASKED, OTHER]) else {
        panic!("a list");
    };
    assert!(batch.unreadable.is_empty(), "{:?}", batch.unreadable);
    assert_eq!(batch.skipped.total(), 2);
}
