//! The laws of [`TokenSource`]. The test brings what writes the list as its owner would, and what makes it unreadable.

use std::collections::BTreeSet;

use crate::{Mint, TokenSource, TokenSourceError, UnusableEntries};

/// Checks every law that can be seen from outside. `put` makes the list consist of these entries, in place of those
/// before, and mends what `spoil` did; `spoil` makes it unreadable.
pub async fn check(source: &dyn TokenSource, put: impl AsyncFn(Vec<String>), spoil: impl AsyncFn()) {
    let origin = source.origin();
    a_listing_is_the_whole_set_and_each_mint_once(source, &put).await;
    what_is_no_mint_is_told(source, &put).await;
    an_error_is_no_empty_listing_and_passes(source, &put, spoil).await;
    ten_thousand_mints_are_listed(source, &put).await;
    assert_eq!(source.origin(), origin, "law 6: the origin is the same at every call");
}

fn mints(count: u32) -> Vec<Mint> {
    let mint = |number: u32| {
        let mut bytes = [3_u8; 32];
        bytes[28..].copy_from_slice(&number.to_be_bytes());
        Mint::from_bytes(bytes)
    };
    (0..count).map(mint).collect()
}

fn entries(mints: &[Mint]) -> Vec<String> {
    mints.iter().map(ToString::to_string).collect()
}

async fn listed(source: &dyn TokenSource) -> BTreeSet<Mint> {
    source.list().await.expect("a good list is listed").mints
}

/// Laws 1 and 2.
async fn a_listing_is_the_whole_set_and_each_mint_once(
    source: &dyn TokenSource,
    put: impl AsyncFn(Vec<String>),
) {
    let mints = mints(5);
    put(entries(&[&mints[..4], &mints[..2]].concat())).await;
    for _ in 0..2 {
        assert_eq!(listed(source).await, mints[..4].iter().copied().collect(), "asking changes nothing");
    }
    put(entries(&mints[3..])).await;
    assert_eq!(listed(source).await, mints[3..].iter().copied().collect(), "a listing is what is there now");
}

/// Law 4.
async fn what_is_no_mint_is_told(source: &dyn TokenSource, put: impl AsyncFn(Vec<String>)) {
    const JUNK: usize = 23;
    let mints = mints(3);
    let junk = (0..JUNK).map(|number| format!("junk-{number}"));
    put(entries(&mints).into_iter().chain(junk).collect()).await;
    match source.list().await {
        Ok(listing) => {
            assert_eq!(listing.mints, mints.iter().copied().collect(), "the rest is listed");
            assert_eq!(listing.unusable.count(), JUNK as u64, "every bad entry is counted");
            assert_eq!(listing.unusable.shown().len(), UnusableEntries::SHOWN);
        }
        Err(TokenSourceError::Unusable { message }) => {
            assert!(message.contains("junk-0") && message.contains("23"), "shown and counted: {message}");
            assert!(message.lines().count() <= UnusableEntries::SHOWN + 2, "of many the first: {message}");
        }
        Err(other) => panic!("time does not mend a bad entry: {other:?}"),
    }
}

/// Laws 3 and 5.
async fn an_error_is_no_empty_listing_and_passes(
    source: &dyn TokenSource,
    put: impl AsyncFn(Vec<String>),
    spoil: impl AsyncFn(),
) {
    let mints = mints(2);
    put(entries(&mints)).await;
    spoil().await;
    for _ in 0..2 {
        let error = source.list().await.expect_err("what cannot be read is not listed");
        assert!(!error.to_string().is_empty(), "a person is told");
    }
    put(entries(&mints)).await;
    assert_eq!(listed(source).await, mints.into_iter().collect(), "once mended it answers again");
}

/// Law 2, for more than fits a packet or a page.
async fn ten_thousand_mints_are_listed(source: &dyn TokenSource, put: impl AsyncFn(Vec<String>)) {
    let mints = mints(10_000);
    put(entries(&mints)).await;
    assert_eq!(listed(source).await, mints.into_iter().collect());
}
