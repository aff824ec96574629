//! Recorded bodies, damaged at random: none makes the decoder panic, and the pairs that it keeps are valid. The recordings are
//! kept outside the repository; without them only a generated body is damaged.
//!
//! Damaged bytes mostly make a body invalid as a whole. So another property keeps the JSON valid and replaces values.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use ttm_dexscreener_http::testing::{check, mints_in};
use ttm_dexscreener_http::{Decoded, Undecodable, decode};

/// Relative to the crate, where cargo runs its tests. The place of the build would not do: checkouts may share it.
const FOLDER: &str = "../../../shared/dexscreener";
/// Bodies are truncated to this, so that decoding them is fast.
const LONGEST: usize = 50_000;

static BODIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let generated = include_bytes!("../../fuzz/seeds/list.json");
    let files = fs::read_dir(Path::new(FOLDER)).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<_> = files.map(|file| file.path()).collect();
    paths.sort();
    let recorded = paths.into_iter().filter_map(|path| fs::read(path).ok());
    let recorded = recorded.map(|mut body| {
        body.truncate(LONGEST);
        body
    });
    [generated.to_vec()].into_iter().chain(recorded).collect()
});

/// A body with valid pairs, and the positions of its texts and numbers.
struct Sound {
    body: &'static [u8],
    values: Vec<Range<usize>>,
}

static SOUND: LazyLock<Vec<Sound>> = LazyLock::new(|| {
    let sound = BODIES.iter().filter(|body| {
        matches!(decode(body, "solana", &mints_in(body)), Ok(Decoded::Pairs(batch)) if !batch.pairs.is_empty())
    });
    sound.map(|body| Sound { body, values: values(body) }).collect()
});

/// Replacements of a value, each valid JSON, so that at most one pair is skipped.
const ODD_VALUES: [&str; 20] = [
    "null",
    "true",
    "{}",
    "[]",
    "0",
    "-0.5",
    "-1",
    "1e308",
    "18446744073709551616",
    r#""""#,
    r#""0""#,
    r#""-1""#,
    r#""1e999""#,
    r#""NaN""#,
    r#""-inf""#,
    r#""\u0000""#,
    r#""a\u0007b""#,
    r#""\u0085""#,
    r#""\ud83d\ude80""#,
    r#""So11111111111111111111111111111111111111112""#,
];

/// The positions of the texts and numbers after keys in a valid body.
fn values(body: &[u8]) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    let mut at = 0;
    let mut is_behind_key = false;
    while at < body.len() {
        let end = match body[at] {
            b'"' => text_end(body, at),
            byte if byte.is_ascii_alphanumeric() || byte == b'-' => {
                let number = body[at..].iter().take_while(|byte| !b",}] \n\r\t".contains(byte));
                at + number.count()
            }
            byte => {
                is_behind_key = byte == b':' || (is_behind_key && byte.is_ascii_whitespace());
                at += 1;
                continue;
            }
        };
        if is_behind_key {
            values.push(at..end);
        }
        is_behind_key = false;
        at = end;
    }
    values
}

/// The end of the text that starts with the quote at `start`.
fn text_end(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while body[at] != b'"' {
        at += if body[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// One way to damage a body.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index, Index),
    Repeat(Index, Index),
    /// A part of another body is inserted.
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

fn part(body: &[u8], from: Index, to: Index) -> Range<usize> {
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
    fn a_damaged_recording_does_not_panic_and_keeps_only_valid_pairs(
        body in any::<Index>(), damages in prop::collection::vec(damage(), 0..12),
    ) {
        let mut body = BODIES[body.index(BODIES.len())].clone();
        let asked = mints_in(&body);
        for damage in damages {
            apply(&mut body, damage);
        }
        check(&body, &asked);
    }
    #[test]
    fn odd_values_in_a_recording_skip_pairs_at_most_and_keep_only_valid_ones(
        body in any::<Index>(),
        odd in prop::collection::vec((any::<Index>(), prop::sample::select(ODD_VALUES.to_vec())), 1..40),
    ) {
        let Sound { body, values } = &SOUND[body.index(SOUND.len())];
        let odd: BTreeMap<_, _> = odd.into_iter().map(|(at, odd)| (at.index(values.len()), odd)).collect();
        let mut damaged = body.to_vec();
        // From the last to the first, so that the earlier positions stay valid.
        for (at, odd) in odd.into_iter().rev() {
            damaged.splice(values[at].clone(), odd.bytes());
        }
        check(&damaged, &mints_in(body));
        // The body is refused only if every pair is affected.
        let verdict = decode(&damaged, "solana", &mints_in(body));
        prop_assert!(matches!(verdict, Ok(Decoded::Pairs(_)) | Err(Undecodable::NoneReadable { .. })), "{verdict:?}");
    }
}
