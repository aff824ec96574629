//! From a body to pairs, in any of the API's envelopes. Pure: it knows no status, no headers and no network.

use serde_json::value::RawValue;
use ttm_market::{Mint, PairBatch, SkipReason};

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
    let raw_pairs = match text.bytes().next() {
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)?,
        Some(b'{') => match serde_json::from_str::<Envelope<'_>>(text)? {
            Envelope { pairs: Field::Given(pairs), .. } => pairs,
            Envelope { pair: Field::Given(pair), .. } => vec![pair],
            Envelope { pairs: Field::Absent, pair: Field::Absent } => return Err(no_pairs(text)),
            Envelope { .. } => return Ok(Decoded::Null),
        },
        _ => match serde_json::from_str::<Option<&RawValue>>(text)? {
            Some(_scalar) => return Err(no_pairs(text)),
            None => return Ok(Decoded::Null),
        },
    };
    let mut batch = PairBatch::default();
    for raw in raw_pairs {
        match one_pair(raw, chain, asked) {
            Ok(pair) => batch.pairs.push(pair),
            Err(reason) => batch.skipped.add(reason),
        }
    }
    Ok(Decoded::Pairs(batch))
}

fn one_pair(raw: &RawValue, chain: &str, asked: &[Mint]) -> Result<ttm_market::Pair, SkipReason> {
    let dto: PairDto<'_> = serde_json::from_str(raw.get()).map_err(|_| SkipReason::Malformed)?;
    convert::pair(&dto, chain, asked)
}

fn no_pairs(text: &str) -> Undecodable {
    Undecodable::NoPairs { start: text.chars().take(40).collect() }
}
