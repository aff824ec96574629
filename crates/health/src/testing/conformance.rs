//! The laws of [`ResourceSource`] as a suite; a broken law panics with what was expected.
#![expect(
    clippy::missing_panics_doc,
    reason = "a law that does not hold panics: that is what the suite is for"
)]

use crate::{ResourceSample, ResourceSource};

/// Checks every law on a source that was not asked yet.
pub async fn check(source: &dyn ResourceSource) {
    let first = source.sample().await.expect("a source that can measure anything gives a sample");
    assert_eq!(first.cpu_percent, None, "law 3: a share of time needs two samples");
    shares_are_finite_and_not_negative(&first);
    let second = source.sample().await.expect("a source that could measure once can do so again");
    shares_are_finite_and_not_negative(&second);
}

/// Law 2.
fn shares_are_finite_and_not_negative(sample: &ResourceSample) {
    for share in [sample.cpu_percent, sample.disk_usage_percent].into_iter().flatten() {
        assert!(share.is_finite() && share >= 0.0, "law 2: {sample:?}");
    }
}
