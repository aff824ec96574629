//! Decodes a body, in any of the envelopes of the API, into pairs. Pure: no status, headers or network.

use serde::Deserialize;
use serde_json::value::RawValue;
use ttm_market::{Mint, Pair, PairBatch};

use crate::convert::Refused;
use crate::dto::{Bounded, Envelope, Field, LooksLikePair, Object, PairDto};
use crate::{convert, mend};

/// A decoded body.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// A list, possibly empty.
    Pairs(PairBatch),
    /// `null` instead of a list. Some endpoints return it for an unknown token, all of them occasionally under load.
    Null,
}

/// The body is not one that the API documents.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// Not JSON, truncated, or of other types than the envelope.
    #[error("not the JSON of this API: {0}")]
    NotJson(#[from] serde_json::Error),
    /// JSON that is neither a list nor an object with `pairs` or `pair`.
    #[error("not a list, it starts with {start:?}")]
    NoList {
        /// Its first characters.
        start: String,
    },
    /// A list without a single readable entry.
    #[error("none of its {entries} entries is readable, the first one starts with {start:?}")]
    NoneReadable {
        /// How many there are.
        entries: usize,
        /// The first characters of the first one.
        start: String,
    },
}

/// Decodes a body: a bare list, `{pairs}`, `{pair}` or `null`. Keeps the pairs on `chain` whose base token is one of
/// `asked`, and counts the others by reason.
///
/// Fields that a score depends on are strict: one of the wrong type causes its pair to be skipped. All other fields are
/// lenient. Text may contain anything; invalid characters become U+FFFD.
///
/// # Errors
/// [`Undecodable`] if the envelope is none of these, has more entries than any response, or no readable one. A bad pair
/// among others is not an error, and neither is a bad pair alone in the response for a single mint.
pub fn decode(body: &[u8], chain: &str, asked: &[Mint]) -> Result<Decoded, Undecodable> {
    let text = mend::text(body);
    // Fast path: a valid body is decoded in one go. If that fails, decode pair by pair, so that a bad pair is skipped
    // alone.
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

/// Decodes each pair separately.
fn one_by_one(pairs: &[&RawValue], chain: &str, asked: &[Mint]) -> Result<PairBatch, Undecodable> {
    let mut batch = PairBatch::default();
    let mut is_any_readable = pairs.is_empty();
    for raw in pairs {
        let dto = serde_json::from_str::<Object<PairDto<'_>>>(raw.get())
            .map_err(|error| convert::unreadable(raw, &error, asked));
        is_any_readable |= dto.is_ok();
        keep(&mut batch, dto.and_then(|dto| convert::pair(&dto, chain, asked)));
    }
    // If all pairs of a single token are bad, that is a problem of the token; otherwise it is one of the API.
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

/// The entries of an envelope; `None` if it is `null`.
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
