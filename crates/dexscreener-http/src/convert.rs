//! Converts a pair of the API to one of the market; this is where bad data is refused.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::value::RawValue;
use ttm_market::{Mint, Pair, SkipReason, TokenRef, Trades};

use crate::dto::{Count, Object, OwnerDto, PairDto, SidesDto, Text, TokenDto};
use crate::mend;

/// The longest recorded pool address has 128 characters (on another chain), the longest dex name 20.
const LONGEST_NAME: usize = 128;
/// The longest recorded symbol has 21 characters.
const LONGEST_SYMBOL: usize = 32;

/// How much of an untrusted text is shown in a message.
const EXCERPT: usize = 48;

/// Why a pair is skipped.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) reason: SkipReason,
    /// The mint of the pair and what is unreadable, if that is known and the pair would have been kept otherwise.
    pub(crate) unreadable: Option<(Mint, Box<str>)>,
}

impl From<SkipReason> for Refused {
    fn from(reason: SkipReason) -> Self {
        Self { reason, unreadable: None }
    }
}

/// The pair, if it is on `chain`, its base token was requested and its numbers are usable.
pub(crate) fn pair(dto: &PairDto<'_>, chain: &str, asked: &[Mint]) -> Result<Pair, Refused> {
    if dto.chain_id != chain {
        return Err(SkipReason::OtherChain.into());
    }
    let base = mint(&dto.base_token)?;
    let quote = mint(&dto.quote_token);
    if !asked.contains(&base) {
        let is_other_side = asked.contains(&quote?);
        return Err(if is_other_side { SkipReason::QuoteSide } else { SkipReason::NotAsked }.into());
    }
    let of = |key: &str, value: &dyn std::fmt::Display| {
        let why = format!("{key} {value}");
        move |reason| Refused { reason, unreadable: Some((base, why.into())) }
    };
    let quote = quote.map_err(|e| {
        of("quoteToken.address", &quoted(dto.quote_token.address.as_deref().unwrap_or("")))(e)
    })?;
    let txns = dto.txns.as_ref();
    let volume = dto.volume.as_ref();
    let (m5, h1) = (volume.and_then(|windows| windows.m5), volume.and_then(|windows| windows.h1));
    let liquidity = dto.liquidity.as_ref().and_then(|liquidity| liquidity.usd);
    let usd = |key, usd: Option<f64>| amount(usd).map_err(|e| of(key, &usd.unwrap_or_default())(e));
    Ok(Pair {
        address: name(&dto.pair_address).map_err(|e| of("pairAddress", &quoted(&dto.pair_address))(e))?,
        dex: name(&dto.dex_id).map_err(|e| of("dexId", &quoted(&dto.dex_id))(e))?,
        base: TokenRef { mint: base, symbol: symbol(dto.base_token.symbol) },
        quote,
        price_usd: price(dto.price_usd).map_err(|e| of("priceUsd", &shown(dto.price_usd))(e))?,
        trades_5m: trades(txns.and_then(|windows| windows.m5.as_deref())),
        trades_1h: trades(txns.and_then(|windows| windows.h1.as_deref())),
        volume_5m_usd: usd("volume.m5", m5)?.unwrap_or(0.0),
        volume_1h_usd: usd("volume.h1", h1)?.unwrap_or(0.0),
        liquidity_usd: usd("liquidity.usd", liquidity)?,
        created_at: dto.pair_created_at.and_then(created_at),
    })
}

/// Refuses a pair that cannot be read; names its mint, if that was requested.
pub(crate) fn unreadable(raw: &RawValue, error: &serde_json::Error, asked: &[Mint]) -> Refused {
    let owner = serde_json::from_str::<Object<OwnerDto<'_>>>(raw.get()).ok();
    let base = owner.and_then(|owner| mint(&owner.base_token).ok()).filter(|base| asked.contains(base));
    Refused {
        reason: SkipReason::Malformed,
        unreadable: base.map(|base| (base, bounded(&error.to_string()).into())),
    }
}

/// A JSON value for a message.
fn shown(json: Option<&RawValue>) -> String {
    let Some(json) = json else { return "missing".to_owned() };
    text(json).map_or_else(|| bounded(json.get()), |text| quoted(&text))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", bounded(text))
}

/// The start of an untrusted text, escaped for a terminal.
fn bounded(text: &str) -> String {
    let mut start: String = text.chars().take(EXCERPT).flat_map(char::escape_debug).collect();
    if text.chars().nth(EXCERPT).is_some() {
        start.push('…');
    }
    start
}

/// A mint is required: without the address, a quote token cannot be told from one that fakes its symbol.
fn mint(token: &TokenDto<'_>) -> Result<Mint, SkipReason> {
    match token.address.as_deref() {
        None | Some("") => Err(SkipReason::Malformed),
        Some(address) => address.parse().map_err(|_| SkipReason::BadAddress),
    }
}

/// A required name, intact and not absurdly long: it identifies a pool or an exchange.
fn name(text: &str) -> Result<Box<str>, SkipReason> {
    let is_whole = !text.contains(char::REPLACEMENT_CHARACTER);
    if text.is_empty() || text.len() > LONGEST_NAME || !is_printable(text) || !is_whole {
        return Err(SkipReason::Malformed);
    }
    Ok(text.into())
}

/// A symbol is untrusted and shown on terminals, so control characters are removed and the rest is truncated. A value that
/// is not text is no symbol.
fn symbol(json: Option<&RawValue>) -> Box<str> {
    let text = json.and_then(text).unwrap_or_default();
    if text.len() <= LONGEST_SYMBOL && is_printable(&text) {
        return (*text).into();
    }
    text.chars().filter(|character| !character.is_control()).take(LONGEST_SYMBOL).collect()
}

/// Whether a text has no control characters. Nearly all are ASCII, where checking the bytes is enough.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || !text.chars().any(char::is_control)
}

/// The text of a JSON string; `None` if the value is not a string.
fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    if !json.get().starts_with('"') {
        return None;
    }
    if let Ok(Text(text)) = serde_json::from_str(json.get()) {
        return Some(text);
    }
    serde_json::from_str::<String>(&mend::strings(json.get())).map(Cow::Owned).ok()
}

/// A price is finite and > 0, or unknown. It is usually a decimal text; a number is accepted, too.
fn price(json: Option<&RawValue>) -> Result<Option<f64>, SkipReason> {
    let Some(json) = json else { return Ok(None) };
    // The source text of a number; no other JSON value parses as a float.
    let decimal = text(json).unwrap_or(Cow::Borrowed(json.get()));
    match decimal.parse::<f64>() {
        Ok(price) if price.is_finite() && price > 0.0 => Ok(Some(price)),
        _ if decimal.is_empty() => Ok(None),
        _ => Err(SkipReason::BadPrice),
    }
}

/// Trades of a window; a missing count is zero.
fn trades(sides: Option<&SidesDto>) -> Trades {
    sides.map_or_else(Trades::default, |sides| Trades {
        buys: sides.buys.map_or(0, |Count(buys)| buys),
        sells: sides.sells.map_or(0, |Count(sells)| sells),
    })
}

/// An amount of US dollars is finite and ≥ 0, or unknown.
fn amount(usd: Option<f64>) -> Result<Option<f64>, SkipReason> {
    match usd {
        Some(usd) if !usd.is_finite() || usd < 0.0 => Err(SkipReason::Malformed),
        known_or_not => Ok(known_or_not),
    }
}

/// No score depends on this time, so an invalid one is only ignored.
fn created_at(json: &RawValue) -> Option<Timestamp> {
    let milliseconds = json.get().parse().ok()?;
    Timestamp::from_millisecond(milliseconds).ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
}
