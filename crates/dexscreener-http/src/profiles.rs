//! From a body of token profiles to the mints in it. What a profile says about its token is not read.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use ttm_market::Listing;

use crate::Undecodable;

/// One profile: a project's page about its token.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileDto<'a> {
    #[serde(borrow)]
    chain_id: Cow<'a, str>,
    #[serde(borrow)]
    token_address: Cow<'a, str>,
}

/// The mints of `chain` that a list of profiles names; none where the body says `null`. Entries that are no profile, or
/// of no mint, are counted by their place in the list.
///
/// # Errors
/// [`Undecodable`] when the body is no list; a bad entry inside is no error.
pub fn decode_profiles(body: &[u8], chain: &str) -> Result<Option<Listing>, Undecodable> {
    let Some(profiles) = serde_json::from_str::<Option<Vec<&RawValue>>>(str::from_utf8(body)?)? else {
        return Ok(None);
    };
    let mut listing = Listing::default();
    for (number, raw) in (1..).zip(profiles) {
        match serde_json::from_str::<ProfileDto<'_>>(raw.get()) {
            Ok(profile) if profile.chain_id == chain => listing.take(number, &profile.token_address),
            Ok(_elsewhere) => {}
            // What is no profile is no mint either.
            Err(_) => listing.take(number, raw.get()),
        }
    }
    Ok(Some(listing))
}
