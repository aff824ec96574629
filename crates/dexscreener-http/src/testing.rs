//! Properties that hold for any body, shared by the property tests, which damage recorded bodies, and the fuzzer, which
//! generates its own.

use ttm_market::Mint;

use crate::{Decoded, decode, decode_profiles};

/// The number of mints that are taken from a body as the request.
const ASKED: usize = 30;

/// Decodes the body as profiles and as the response to a request for `asked`, and checks the kept pairs.
///
/// # Panics
/// If the decoder panics, or keeps an invalid pair.
pub fn check(body: &[u8], asked: &[Mint]) {
    if let Ok(Some(listing)) = decode_profiles(body, "solana") {
        let entries = listing.mints.len() as u64 + listing.unusable.count();
        assert!(entries <= body.len() as u64 / 2, "more profiles than the body can hold");
    }
    let Ok(Decoded::Pairs(batch)) = decode(body, "solana", asked) else { return };
    // Far more than the number of the shortest possible pairs.
    let most = body.len() as u64 / 2 + 1;
    assert!(batch.pairs.len() as u64 + batch.skipped.total() <= most, "more pairs than the body can hold");
    for pair in &batch.pairs {
        assert!(asked.contains(&pair.base.mint), "the base was not requested: {pair:?}");
        assert!(pair.price_usd.is_none_or(|price| price.is_finite() && price > 0.0), "{pair:?}");
        let amounts = [Some(pair.volume_5m_usd), Some(pair.volume_1h_usd), pair.liquidity_usd];
        assert!(amounts.into_iter().flatten().all(|usd| usd.is_finite() && usd >= 0.0), "{pair:?}");
        let names = [&pair.address, &pair.dex, &pair.base.symbol];
        assert!(names.iter().all(|name| !name.chars().any(char::is_control)), "{pair:?}");
        assert!(!pair.address.is_empty() && !pair.dex.is_empty(), "{pair:?}");
    }
}

/// The first mints in a body, as if they had been requested.
pub fn mints_in(body: &[u8]) -> Vec<Mint> {
    let words =
        body.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| (32..=44).contains(&word.len()));
    let mints = words.filter_map(|word| str::from_utf8(word).ok()?.parse().ok());
    mints.take(ASKED).collect()
}
