//! Figures, and which of them are measurements.

use std::time::Duration;

/// Figures that take a moment to be measured for the first time do not count as missing before this, so that a normal start
/// does not change health.
pub(super) const BEGUN: Duration = Duration::from_secs(30);

/// `part` as a share of `whole`; `None` if `whole` is unknown or zero.
pub(super) fn share(part: f64, whole: f64) -> Option<f64> {
    measured((whole > 0.0).then_some(part / whole))
}

/// A valid measurement: finite and not negative.
pub(super) fn measured(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && *value >= 0.0)
}
