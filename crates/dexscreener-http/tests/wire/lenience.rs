//! Which invalid values are ignored and which cause their pair to be skipped: other types, arbitrary text, and bodies without
//! a valid entry.

use crate::bodies::{ASKED, OTHER, full_pair, pair_with, pair_without};
use proptest::prelude::*;
use serde_json::{Value, json};
use ttm_dexscreener_http::{Decoded, Undecodable, decode, decode_profiles};
use ttm_market::{Mint, PairBatch, SkipReason};

fn batch_of(body: &[u8]) -> PairBatch {
    match decode(body, "solana", &[ASKED, OTHER]) {
        Ok(Decoded::Pairs(batch)) => batch,
        other => panic!("{other:?} of {}", String::from_utf8_lossy(body)),
    }
}

/// The first pair of a body whose second one is valid, or why it was skipped.
fn first(pair: &str) -> Result<ttm_market::Pair, SkipReason> {
    let mut batch = batch_of(format!("[{pair},{}]", full_pair(OTHER)).as_bytes());
    assert_eq!(batch.pairs.pop().map(|pair| pair.base.mint), Some(OTHER), "the neighbour of {pair}");
    assert_eq!(batch.pairs.len() as u64 + batch.skipped.total(), 1);
    batch.pairs.pop().ok_or_else(|| batch.skipped.iter().next().expect("a reason").0)
}

/// A value of every kind, as JSON.
const SHAPES: [&str; 14] = [
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "1.5",
    r#""""#,
    r#""text""#,
    r#""2026-04-29T07:09:01.000Z""#,
    r#""\ud800""#,
    "[]",
    "[123456]",
    "{}",
    r#"{"usd":[1,{"m5":null}]}"#,
];

/// The full pair as text, with one key set to this JSON.
fn with(path: &[&str], json: &str) -> String {
    const MARK: &str = "7777777";
    let mut pair = full_pair(ASKED);
    let mut place = &mut pair;
    for key in path {
        place = &mut place[*key];
    }
    *place = json!(7_777_777);
    pair.to_string().replacen(MARK, json, 1)
}

#[test]
fn any_value_is_accepted_in_a_field_that_no_score_depends_on() {
    for path in [
        &["url"][..],
        &["labels"],
        &["priceChange"],
        &["priceChange", "m5"],
        &["fdv"],
        &["marketCap"],
        &["info"],
        &["info", "imageUrl"],
        &["boosts"],
        &["pairCreatedAt"],
        &["priceNative"],
        &["baseToken", "name"],
        &["baseToken", "symbol"],
        &["quoteToken", "name"],
        &["quoteToken", "symbol"],
        &["liquidity", "base"],
        &["liquidity", "quote"],
        &["txns", "h6"],
        &["txns", "h24"],
        &["volume", "h24"],
        &["somethingNew"],
    ] {
        for shape in SHAPES {
            let read = first(&with(path, shape)).unwrap_or_else(|why| panic!("{path:?}: {shape}: {why}"));
            assert_eq!(read.liquidity_usd, Some(155_990.61), "{path:?}: {shape}");
        }
    }
}

#[test]
fn a_pair_is_skipped_for_another_type_in_a_field_that_scores_depend_on() {
    for (path, accepted) in [
        (&["txns"][..], &["null", "{}", r#"{"usd":[1,{"m5":null}]}"#][..]),
        (&["txns", "m5"], &["null", "{}", r#"{"usd":[1,{"m5":null}]}"#]),
        (&["txns", "h1", "sells"], &["null", "0"]),
        (&["volume"], &["null", "{}", r#"{"usd":[1,{"m5":null}]}"#]),
        (&["volume", "h1"], &["null", "0", "1.5"]),
        (&["liquidity"], &["null", "{}"]),
        (&["liquidity", "usd"], &["null", "0", "1.5"]),
        (&["priceUsd"], &["null", r#""""#, "1.5"]),
        (&["baseToken"], &[]),
        (&["baseToken", "address"], &[]),
        (&["quoteToken"], &[]),
        (&["quoteToken", "address"], &[]),
        (&["chainId"], &[]),
        (&["dexId"], &[r#""text""#, r#""2026-04-29T07:09:01.000Z""#]),
        (&["pairAddress"], &[r#""text""#, r#""2026-04-29T07:09:01.000Z""#]),
    ] {
        for shape in SHAPES {
            let read = first(&with(path, shape));
            assert_eq!(read.is_ok(), accepted.contains(&shape), "{path:?}: {shape}: {read:?}");
        }
    }
}

#[test]
fn a_list_is_not_an_object_even_if_its_values_would_fit() {
    for (key, list) in [
        ("liquidity", json!([123_456])),
        ("volume", json!([15, 1781.77])),
        ("txns", json!([{"buys": 1, "sells": 1}, {"buys": 9, "sells": 9}])),
        ("txns", json!({"m5": [3, 1]})),
        ("baseToken", json!([ASKED.to_string(), "TKN"])),
        ("quoteToken", json!([Mint::WSOL.to_string(), "SOL"])),
    ] {
        assert_eq!(
            first(&pair_with(key, list.clone()).to_string()),
            Err(SkipReason::Malformed),
            "{key} {list}"
        );
    }
    let token = |mint: Mint| json!({"address": mint.to_string(), "symbol": "T"});
    let pair =
        json!(["solana", "raydium", "P", token(ASKED), token(Mint::WSOL), "1", null, null, null, null]);
    assert_eq!(first(&pair.to_string()), Err(SkipReason::Malformed));
}

#[test]
fn a_pair_with_a_duplicate_key_is_skipped() {
    let twice = with(&["liquidity"], r#"{"usd":1e6},"liquidity":{"usd":1}"#);
    assert_eq!(first(&twice), Err(SkipReason::Malformed));
    assert!(first(&with(&["url"], r#""a","url":"b""#)).is_ok(), "of two addresses of a page none is read");
}

#[test]
fn a_symbol_may_contain_anything() {
    let symbol = |json: &str| first(&with(&["baseToken", "symbol"], json)).map(|pair| pair.base.symbol);
    assert_eq!(symbol(r#""a\ud800b""#).as_deref(), Ok("a\u{fffd}b"));
    assert_eq!(symbol(r#""\udc00\ud83d\ude80""#).as_deref(), Ok("\u{fffd}🚀"));
    assert_eq!(symbol("\"a\nb\"").as_deref(), Ok("a\u{fffd}b"));
    assert_eq!(symbol(r#""\x""#).as_deref(), Ok("\u{fffd}x"));
    for no_text in ["7", "true", "[]", "{}", "null"] {
        assert_eq!(symbol(no_text).as_deref(), Ok(""), "{no_text}");
    }
}

/// The full pair with an invalid byte in a text.
fn with_bad_byte(path: &[&str]) -> Vec<u8> {
    let pair = with(path, r#""T@T""#);
    let body = format!("[{pair},{}]", full_pair(OTHER)).into_bytes();
    body.into_iter().map(|byte| if byte == b'@' { 0xff } else { byte }).collect()
}

#[test]
fn an_invalid_byte_affects_only_the_text_it_is_in() {
    let batch = batch_of(&with_bad_byte(&["baseToken", "symbol"]));
    assert_eq!(batch.pairs.len(), 2);
    assert_eq!(&*batch.pairs[0].base.symbol, "T\u{fffd}T");
    for path in [&["url"][..], &["quoteToken", "symbol"], &["baseToken", "name"], &["labels"]] {
        assert_eq!(batch_of(&with_bad_byte(path)).pairs.len(), 2, "{path:?}");
    }
    for (path, reason) in [
        (&["baseToken", "address"][..], SkipReason::BadAddress),
        (&["quoteToken", "address"], SkipReason::BadAddress),
        (&["dexId"], SkipReason::Malformed),
        (&["pairAddress"], SkipReason::Malformed),
        (&["chainId"], SkipReason::OtherChain),
        (&["priceUsd"], SkipReason::BadPrice),
    ] {
        let batch = batch_of(&with_bad_byte(path));
        assert_eq!((batch.pairs.len(), batch.skipped.count(reason)), (1, 1), "{path:?}");
    }
}

#[test]
fn a_byte_order_mark_is_ignored() {
    let mut body = b"\xef\xbb\xbf".to_vec();
    body.extend(json!({"pairs": [full_pair(ASKED)]}).to_string().bytes());
    assert_eq!(batch_of(&body).pairs.len(), 1);
    assert_eq!(decode(b"\xef\xbb\xbfnull", "solana", &[ASKED]).expect("null"), Decoded::Null);
    let profiles = "\u{feff}[]".as_bytes();
    assert!(decode_profiles(profiles, "solana").expect("a list").is_some());
}

/// The error of a body that must be refused.
#[track_caller]
fn refused(body: &str, asked: &[Mint]) -> Undecodable {
    decode(body.as_bytes(), "solana", asked).expect_err(body.get(..60).unwrap_or(body))
}

#[test]
fn a_body_without_a_valid_entry_is_refused_instead_of_being_empty() {
    let profile = json!({"url": "x", "chainId": "solana", "tokenAddress": ASKED.to_string()}).to_string();
    for entry in ["1", "null", "[]", "{}", r#""text""#, "[[[[1]]]]", &profile] {
        for asked in [&[ASKED][..], &[ASKED, OTHER]] {
            assert!(
                matches!(refused(&format!("[{entry}]"), asked), Undecodable::NoneReadable { .. }),
                "{entry}"
            );
            let envelope = format!(r#"{{"pairs":[{entry},{entry}]}}"#);
            assert!(matches!(refused(&envelope, asked), Undecodable::NoneReadable { entries: 2, .. }));
            if entry != "null" {
                let single = refused(&format!(r#"{{"pair":{entry}}}"#), asked);
                assert!(matches!(single, Undecodable::NoneReadable { entries: 1, .. }), "{entry}");
            }
        }
    }
}

#[test]
fn only_bad_pairs_are_an_error_of_the_api_in_a_batch_and_of_the_token_in_a_single_request() {
    let bad = pair_without("dexId");
    let body = json!([bad, bad]).to_string();
    assert!(matches!(refused(&body, &[ASKED, OTHER]), Undecodable::NoneReadable { entries: 2, .. }));
    let skipped = |body: Value, asked: &[Mint]| match decode(body.to_string().as_bytes(), "solana", asked) {
        Ok(Decoded::Pairs(batch)) => batch.skipped.count(SkipReason::Malformed),
        other => panic!("{other:?}"),
    };
    assert_eq!(skipped(json!([bad, bad]), &[ASKED]), 2);
    assert_eq!(
        skipped(json!([bad]), &[ASKED, OTHER]),
        1,
        "one bad pair costs one pair, also where no other is listed"
    );
    assert_eq!(skipped(json!([bad, full_pair(OTHER)]), &[ASKED, OTHER]), 1);
}

#[test]
fn a_body_longer_or_deeper_than_any_response_is_refused() {
    let many = |entry: &str, count: usize| format!("[{}]", vec![entry; count].join(","));
    let pair = full_pair(ASKED).to_string();
    assert!(matches!(refused(&many("1", 400_000), &[ASKED]), Undecodable::NotJson(_)));
    assert!(matches!(refused(&many(r#"{"baseToken":1}"#, 200_000), &[ASKED]), Undecodable::NotJson(_)));
    assert!(matches!(refused(&many(&pair, 1_001), &[ASKED]), Undecodable::NotJson(_)));
    assert_eq!(batch_of(many(&pair, 1_000).as_bytes()).pairs.len(), 1_000);
    assert!(matches!(refused(&"[".repeat(2_000_000), &[ASKED]), Undecodable::NotJson(_)));
    assert!(matches!(refused(&r#"{"pairs":"#.repeat(300_000), &[ASKED]), Undecodable::NotJson(_)));
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert!(matches!(refused(&deep, &[ASKED]), Undecodable::NoneReadable { entries: 1, .. }));
    let deep_in_a_pair = with(&["info"], &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    assert!(first(&deep_in_a_pair).is_ok(), "nothing rests on it");
}

#[test]
fn a_list_without_a_single_profile_is_refused() {
    let profiles = |body: &str| decode_profiles(body.as_bytes(), "solana");
    for body in ["[1,1]", "[{}]", r#"[["solana","x"]]"#, "[[[[]]]]"] {
        assert!(matches!(profiles(body), Err(Undecodable::NoneReadable { .. })), "{body}");
    }
    assert!(profiles(&format!("[{}]", vec!["1"; 400_000].join(","))).is_err());
    let elsewhere = r#"[{"chainId":"base","tokenAddress":"0x\ud800"}]"#;
    assert!(profiles(elsewhere).expect("a list").expect("not null").mints.is_empty());
}

proptest! {
    #[test]
    fn odd_values_in_one_pair_never_affect_another(
        odd in prop::collection::vec(
            (prop::sample::select(vec![
                "chainId", "dexId", "url", "pairAddress", "labels", "baseToken", "quoteToken", "priceNative", "priceUsd",
                "txns", "volume", "priceChange", "liquidity", "fdv", "marketCap", "pairCreatedAt", "info", "boosts",
            ]), prop::sample::select(SHAPES.to_vec())),
            1..6,
        ),
    ) {
        let mut pair = full_pair(ASKED);
        for (number, (key, _)) in odd.iter().enumerate() {
            pair[*key] = json!(7_777_000 + number);
        }
        let text = odd.iter().enumerate().fold(pair.to_string(), |text, (number, (_, shape))| {
            text.replacen(&(7_777_000 + number).to_string(), shape, 1)
        });
        let _either = first(&text);
    }
}
