//! From a body to pairs, in any of the API's envelopes. Pure: it knows no status, no headers and no network.

use serde::Deserialize;
use serde_json::value::RawValue;
use ttm_market::{Mint, Pair, PairBatch, SkipReason};

use crate::convert;
use crate::dto::{Envelope, Field, PairDto};

/// What a body says.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// A list, possibly empty.
    Pairs(PairBatch),
    /// `null` where a list belongs. Some endpoints say so for an unknown token, all of them now and then under load.
    Null,
}

/// The body is not one that the API promises.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// Bytes that are no text.
    #[error("no UTF-8: {0}")]
    NotText(#[from] std::str::Utf8Error),
    /// Text that is no JSON, ends too early, or has other types than the envelope's.
    #[error("no JSON of this API: {0}")]
    NotJson(#[from] serde_json::Error),
    /// JSON that is neither a list nor an object with `pairs` or `pair`.
    #[error("no pairs in it, it starts with {start:?}")]
    NoPairs {
        /// Its first characters.
        start: String,
    },
}

/// Decodes a body: a bare list, `{pairs}`, `{pair}` or `null`. Kept are the pairs of `chain` whose base token is one
/// of `asked`; the others are counted by reason.
///
/// # Errors
/// [`Undecodable`] when the envelope is not one of these; a bad pair inside is no error.
pub fn decode(body: &[u8], chain: &str, asked: &[Mint]) -> Result<Decoded, Undecodable> {
    let text = str::from_utf8(body)?.trim_ascii();
    let mut batch = PairBatch::default();
    let mut keep = |pair: Result<Pair, SkipReason>| match pair {
        Ok(pair) => batch.pairs.push(pair),
        Err(reason) => batch.skipped.add(reason),
    };
    // In one go, which is all that a sound body needs. A pair that is not one of ours ends it, and then each is read by
    // itself, so that a bad pair costs one pair.
    if let Ok(listed) = listed::<PairDto<'_>>(text) {
        let Some(pairs) = listed else { return Ok(Decoded::Null) };
        for dto in &pairs {
            keep(convert::pair(dto, chain, asked));
        }
    } else {
        let Some(pairs) = listed::<&RawValue>(text)? else { return Ok(Decoded::Null) };
        for raw in pairs {
            let dto = serde_json::from_str::<PairDto<'_>>(raw.get()).map_err(|_| SkipReason::Malformed);
            keep(dto.and_then(|dto| convert::pair(&dto, chain, asked)));
        }
    }
    Ok(Decoded::Pairs(batch))
}

/// What is in an envelope; none where it says `null`.
fn listed<'a, P: Deserialize<'a>>(text: &'a str) -> Result<Option<Vec<P>>, Undecodable> {
    match text.bytes().next() {
        Some(b'[') => Ok(Some(serde_json::from_str(text)?)),
        Some(b'{') => match serde_json::from_str(text)? {
            Envelope { pairs: Field::Given(pairs), .. } => Ok(Some(pairs)),
            Envelope { pair: Field::Given(pair), .. } => Ok(Some(vec![pair])),
            Envelope { pairs: Field::Absent, pair: Field::Absent } => Err(no_pairs(text)),
            Envelope { .. } => Ok(None),
        },
        _ => match serde_json::from_str::<Option<&RawValue>>(text)? {
            Some(_scalar) => Err(no_pairs(text)),
            None => Ok(None),
        },
    }
}

fn no_pairs(text: &str) -> Undecodable {
    Undecodable::NoPairs { start: text.chars().take(40).collect() }
}
