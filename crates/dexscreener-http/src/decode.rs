//! From a body to pairs, in any of the API's envelopes. Pure: it knows no status, no headers and no network.

use serde::Deserialize;
use serde_json::value::RawValue;
use ttm_market::{Mint, Pair, PairBatch};

use crate::convert::Refused;
use crate::dto::{Bounded, Envelope, Field, LooksLikePair, Object, PairDto};
use crate::{convert, mend};

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
    /// Bytes that are no JSON, end too early, or have other types than the envelope's.
    #[error("no JSON of this API: {0}")]
    NotJson(#[from] serde_json::Error),
    /// JSON that is neither a list nor an object with `pairs` or `pair`.
    #[error("no list in it, it starts with {start:?}")]
    NoList {
        /// Its first characters.
        start: String,
    },
    /// A list in which nothing is what belongs there.
    #[error("none of its {entries} entries can be read, the first one starts with {start:?}")]
    NoneReadable {
        /// How many there are.
        entries: usize,
        /// The first characters of the first one.
        start: String,
    },
}

/// Decodes a body: a bare list, `{pairs}`, `{pair}` or `null`. Kept are the pairs of `chain` whose base token is one
/// of `asked`; the others are counted by reason.
///
/// What a score rests on is read strictly: a value of another type than the API's costs its pair. What none rests on
/// costs nothing, whatever it is, and a text may hold anything: what is no character in it becomes U+FFFD.
///
/// # Errors
/// [`Undecodable`] when the envelope is not one of these, holds more than any answer does, or nothing that can be read;
/// a bad pair among others is no error, and neither is one that looks like a pair in the answer about one mint.
pub fn decode(body: &[u8], chain: &str, asked: &[Mint]) -> Result<Decoded, Undecodable> {
    let text = mend::text(body);
    // In one go, which is all that a sound body needs. A pair that is not one of ours ends it, and then each is read by
    // itself, so that a bad pair costs one pair.
    if let Ok(listed) = listed::<Object<PairDto<'_>>>(&text) {
        let Some(pairs) = listed else { return Ok(Decoded::Null) };
        let mut batch = PairBatch::default();
        for dto in &pairs {
            keep(&mut batch, convert::pair(dto, chain, asked));
        }
        return Ok(Decoded::Pairs(batch));
    }
    let text = mend::strings(&text);
    let Some(pairs) = listed::<&RawValue>(&text)? else { return Ok(Decoded::Null) };
    Ok(Decoded::Pairs(one_by_one(&pairs, chain, asked)?))
}

/// Reads each pair by itself.
fn one_by_one(pairs: &[&RawValue], chain: &str, asked: &[Mint]) -> Result<PairBatch, Undecodable> {
    let mut batch = PairBatch::default();
    let mut is_any_readable = pairs.is_empty();
    for raw in pairs {
        let dto = serde_json::from_str::<Object<PairDto<'_>>>(raw.get())
            .map_err(|error| convert::unreadable(raw, &error, asked));
        is_any_readable |= dto.is_ok();
        keep(&mut batch, dto.and_then(|dto| convert::pair(&dto, chain, asked)));
    }
    // Bad pairs of one token are that token's trouble; what is no pair, or nothing but bad ones, is the API's.
    let is_about_one = asked.len() <= 1 || pairs.len() == 1;
    if is_any_readable || (is_about_one && pairs.iter().any(|raw| looks_like_a_pair(raw))) {
        return Ok(batch);
    }
    Err(none_readable(pairs))
}

fn keep(batch: &mut PairBatch, pair: Result<Pair, Refused>) {
    match pair {
        Ok(pair) => batch.pairs.push(pair),
        Err(Refused { reason, unreadable }) => {
            batch.skipped.add(reason);
            if let Some((mint, why)) = unreadable {
                batch.unreadable.entry(mint).or_insert(why);
            }
        }
    }
}

fn looks_like_a_pair(raw: &RawValue) -> bool {
    let looks = serde_json::from_str::<Object<LooksLikePair>>(raw.get());
    looks.is_ok_and(|looks| looks.pair_address.is_some() || looks.base_token.is_some())
}

/// What is in an envelope; none where it says `null`.
fn listed<'a, P: Deserialize<'a>>(text: &'a str) -> Result<Option<Vec<P>>, Undecodable> {
    match text.bytes().next() {
        Some(b'[') => Ok(Some(serde_json::from_str::<Bounded<P>>(text)?.0)),
        Some(b'{') => match serde_json::from_str(text)? {
            Envelope { pairs: Field::Given(Bounded(pairs)), .. } => Ok(Some(pairs)),
            Envelope { pair: Field::Given(pair), .. } => Ok(Some(vec![pair])),
            Envelope { pairs: Field::Absent, pair: Field::Absent } => Err(no_list(text)),
            Envelope { .. } => Ok(None),
        },
        _ => match serde_json::from_str::<Option<&RawValue>>(text)? {
            Some(_scalar) => Err(no_list(text)),
            None => Ok(None),
        },
    }
}

pub(crate) fn none_readable(entries: &[&RawValue]) -> Undecodable {
    let start = entries.first().map_or_else(String::new, |first| start(first.get()));
    Undecodable::NoneReadable { entries: entries.len(), start }
}

fn no_list(text: &str) -> Undecodable {
    Undecodable::NoList { start: start(text) }
}

fn start(text: &str) -> String {
    text.chars().take(40).collect()
}
