//! Decodes the mints in a list of token profiles; the other fields of a profile are ignored.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use ttm_market::Listing;

use crate::decode::none_readable;
use crate::dto::{Bounded, Object};
use crate::{Undecodable, mend};

/// One profile: the page of a project about its token.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileDto<'a> {
    #[serde(borrow)]
    chain_id: Cow<'a, str>,
    #[serde(borrow)]
    token_address: Cow<'a, str>,
}

/// The mints on `chain` in a list of profiles; `None` if the body is `null`. Entries that are not profiles of a valid mint are
/// counted by their position in the list.
///
/// # Errors
/// [`Undecodable`] if the body is not a list, has more entries than any response, or not a single profile. A bad entry
/// among others is not an error.
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
            // Counts as an entry that is not a mint.
            Err(_) => listing.take(number, raw.get()),
        }
    }
    if is_any_readable { Ok(Some(listing)) } else { Err(none_readable(&profiles)) }
}
