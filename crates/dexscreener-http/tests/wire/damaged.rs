//! Recorded bodies, damaged in every way that a wire and a proxy can think of: none makes the decoder panic, and what it
//! keeps it may keep. The recordings stay outside the repository; without them only a made-up body is damaged.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use ttm_dexscreener_http::testing::{check, mints_in};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/dexscreener");
/// A body is cut to this, so that a damaged one is decoded in no time.
const LONGEST: usize = 50_000;

static BODIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let made_up = br#"[{"chainId":"solana","dexId":"raydium","pairAddress":"p","baseToken":{"address":
        "So11111111111111111111111111111111111111112","symbol":"SOL"},"quoteToken":{"address":
        "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"},"priceUsd":"1.5","volume":{"m5":1e3},"liquidity":{"usd":9}}]"#;
    let files = fs::read_dir(Path::new(FOLDER)).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    paths.sort();
    let recorded = paths.into_iter().filter_map(|path| fs::read(path).ok());
    let recorded = recorded.map(|mut body| {
        body.truncate(LONGEST);
        body
    });
    [made_up.to_vec()].into_iter().chain(recorded).collect()
});

/// One way to damage a body.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index, Index),
    Repeat(Index, Index),
    /// A part of another body, put in.
    Splice(Index, Index, Index, Index),
    Insert(Index, &'static [u8]),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    let odd: [&[u8]; 10] = [
        b"null",
        b"-1",
        b"1e999",
        b"NaN",
        b"\"\"",
        b"{}",
        b"[]",
        b"\\u0000",
        b"\xff",
        b"99999999999999999999",
    ];
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (at(), at()).prop_map(|(from, to)| Damage::Cut(from, to)),
        (at(), at()).prop_map(|(from, to)| Damage::Repeat(from, to)),
        (at(), at(), at(), at()).prop_map(|(body, from, to, into)| Damage::Splice(body, from, to, into)),
        (at(), prop::sample::select(odd.to_vec())).prop_map(|(at, odd)| Damage::Insert(at, odd)),
    ]
}

fn part(body: &[u8], from: Index, to: Index) -> std::ops::Range<usize> {
    let (a, b) = (from.index(body.len() + 1), to.index(body.len() + 1));
    // Short parts leave something to decode.
    a.min(b)..a.max(b).min(a.min(b) + 500)
}

fn apply(body: &mut Vec<u8>, damage: Damage) {
    match damage {
        Damage::Flip(at, bits) => {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] ^= bits;
            }
        }
        Damage::Cut(from, to) => drop(body.drain(part(body, from, to))),
        Damage::Repeat(from, to) => {
            let range = part(body, from, to);
            let again = body[range.clone()].to_vec();
            body.splice(range.end..range.end, again);
        }
        Damage::Splice(other, from, to, into) => {
            let other = &BODIES[other.index(BODIES.len())];
            let at = into.index(body.len() + 1);
            body.splice(at..at, other[part(other, from, to)].iter().copied());
        }
        Damage::Insert(at, odd) => {
            let at = at.index(body.len() + 1);
            body.splice(at..at, odd.iter().copied());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_recording_makes_nothing_panic_and_what_is_kept_may_be_kept(
        body in any::<Index>(), damages in prop::collection::vec(damage(), 0..12),
    ) {
        let mut body = BODIES[body.index(BODIES.len())].clone();
        let asked = mints_in(&body);
        for damage in damages {
            apply(&mut body, damage);
        }
        check(&body, &asked);
    }
}
