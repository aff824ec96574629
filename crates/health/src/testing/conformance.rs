//! The laws of [`ResourceSource`] as a suite. All laws are checked before those that do not hold are reported.
//!
//! ```
//! use ttm_health::testing::{FakeResourceSource, conformance};
//!
//! # async fn suite() {
//! conformance::check(&FakeResourceSource::default()).await;
//! # }
//! ```

use ttm_kernel::check_laws;
use ttm_kernel::testing::{Laws, expect, works};

use crate::{ResourceSample, ResourceSource};

/// Checks every law on a source that was not asked yet, and panics with those that do not hold.
pub async fn check(source: &dyn ResourceSource) {
    judge(source).await.assert_hold();
}

/// Checks every law on a source that was not asked yet, and says which do not hold.
pub async fn judge(source: &dyn ResourceSource) -> Laws {
    let mut laws = Laws::of("ResourceSource");
    check_laws!(laws:
        a_share_of_time_needs_two_samples(source),
        a_source_that_could_measure_once_can_do_so_again(source),
        shares_are_finite_and_not_negative(source),
    );
    laws
}

async fn sample(source: &dyn ResourceSource) -> ResourceSample {
    works("sample", source.sample().await)
}

/// Law 3.
async fn a_share_of_time_needs_two_samples(source: &dyn ResourceSource) {
    expect("the first CPU share", None, sample(source).await.cpu_percent);
}

/// Law 1: what is not measured is left out, and is no error.
async fn a_source_that_could_measure_once_can_do_so_again(source: &dyn ResourceSource) {
    for _ in 0..3 {
        sample(source).await;
    }
}

/// Law 2.
async fn shares_are_finite_and_not_negative(source: &dyn ResourceSource) {
    for _ in 0..3 {
        let sample = sample(source).await;
        for share in [sample.cpu_percent, sample.disk_usage_percent].into_iter().flatten() {
            assert!(share.is_finite() && share >= 0.0, "a share: expected it finite and ≥ 0, got {sample:?}");
        }
    }
}
