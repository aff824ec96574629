//! The laws of [`TokenSource`]. The test brings what writes the list as its owner would, and what makes it unreadable.

use std::collections::BTreeSet;

use ttm_kernel::check_laws;
use ttm_kernel::testing::Laws;

use crate::{Mint, Origin, TokenSource, TokenSourceError, UnusableEntries};

/// Checks every law that can be seen from outside, and panics with those that do not hold. `put` makes the list consist of these
/// entries, in place of those before, and mends what `spoil` did; `spoil` makes it unreadable.
///
/// ```
/// use ttm_market::testing::{FakeTokenSource, conformance};
/// use ttm_market::{Origin, TokenSourceError};
///
/// # async fn suite() {
/// let source = FakeTokenSource::new(Origin::new("fake"));
/// let put = async |entries: Vec<String>| {
///     source.heal();
///     source.put(entries);
/// };
/// let spoil = async || source.fail_with(|| TokenSourceError::Transient { message: "gone".to_owned() });
/// conformance::token_source::check(&source, put, spoil).await;
/// # }
/// ```
pub async fn check(source: &dyn TokenSource, put: impl AsyncFn(Vec<String>), spoil: impl AsyncFn()) {
    judge(source, put, spoil).await.assert_hold();
}

/// Checks every law that can be seen from outside, and says which do not hold.
pub async fn judge(source: &dyn TokenSource, put: impl AsyncFn(Vec<String>), spoil: impl AsyncFn()) -> Laws {
    let mut laws = Laws::of("TokenSource");
    let origin = source.origin();
    check_laws!(laws:
        a_listing_is_the_whole_set_and_each_mint_once(source, &put),
        what_is_no_mint_is_told(source, &put),
        an_error_is_no_empty_listing_and_passes(source, &put, spoil),
        ten_thousand_mints_are_listed(source, &put),
        the_origin_is_the_same_at_every_call(source, origin),
    );
    laws
}

/// Law 6.
async fn the_origin_is_the_same_at_every_call(source: &dyn TokenSource, origin: Origin) {
    assert_eq!(source.origin(), origin);
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
