//! From a body of token profiles to the mints in it. What a profile says about its token is not read.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use ttm_market::Listing;

use crate::decode::none_readable;
use crate::dto::{Bounded, Object};
use crate::{Undecodable, mend};

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
/// [`Undecodable`] when the body is no list, one that is longer than any answer, or one without a single profile in it;
/// a bad entry among others is no error.
pub fn decode_profiles(body: &[u8], chain: &str) -> Result<Option<Listing>, Undecodable> {
    let text = mend::text(body);
    let text = mend::strings(&text);
    let Some(Bounded(profiles)) = serde_json::from_str::<Option<Bounded<&RawValue>>>(&text)? else {
        return Ok(None);
    };
    let mut listing = Listing::default();
    let mut is_any_readable = profiles.is_empty();
    for (number, raw) in (1..).zip(&profiles) {
        let profile = serde_json::from_str::<Object<ProfileDto<'_>>>(raw.get());
        is_any_readable |= profile.is_ok();
        match profile {
            Ok(profile) if profile.chain_id == chain => listing.take(number, &profile.token_address),
            Ok(_elsewhere) => {}
            // What is no profile is no mint either.
            Err(_) => listing.take(number, raw.get()),
        }
    }
    if is_any_readable { Ok(Some(listing)) } else { Err(none_readable(&profiles)) }
}
