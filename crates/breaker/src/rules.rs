//! The rules by which a breaker opens and re-opens: arithmetic over settings and counts.

use std::time::Duration;

use crate::{BreakerSettings, Counts, TransitionReason, WindowCounts};

/// The rule by which a closed breaker opens, if its threshold is reached.
pub(crate) fn broken(
    settings: &BreakerSettings,
    counts: &Counts,
    window: Option<WindowCounts>,
) -> Option<TransitionReason> {
    let threshold = settings.failure_threshold.map(u64::from);
    if threshold.is_some_and(|threshold| counts.consecutive_failures >= threshold) {
        return Some(TransitionReason::ConsecutiveFailures);
    }
    let (rates, seen) = (settings.rates?, window?);
    if seen.calls < u64::from(rates.minimum_calls) {
        return None;
    }
    if seen.failure_rate() >= rates.failure_rate {
        return Some(TransitionReason::FailureRate);
    }
    let slow = rates.slow_calls?;
    (seen.slow_rate() >= slow.rate).then_some(TransitionReason::SlowCallRate)
}

/// Why the probes so far open the breaker again, by the same rates, of all probes that may be made. Without rates
/// one failure does.
pub(crate) fn failed_recovery(settings: &BreakerSettings, counts: &Counts) -> Option<TransitionReason> {
    let probes = u64::from(settings.half_open_max_calls);
    let of_all = |number: u64| number as f64 / probes as f64;
    let may_fail = probes - u64::from(settings.success_threshold);
    let threshold = settings.failure_threshold.map(u64::from);
    let too_many = counts.failures > 0
        && settings.rates.is_none_or(|rates| {
            of_all(counts.failures) >= rates.failure_rate
                || counts.failures > may_fail
                || threshold.is_some_and(|threshold| counts.consecutive_failures >= threshold)
        });
    if too_many {
        return Some(TransitionReason::ProbesFailed);
    }
    let slow = settings.rates?.slow_calls?;
    (of_all(counts.slow) >= slow.rate).then_some(TransitionReason::ProbesSlow)
}

/// How long the breaker opens after this many failed recoveries: the configured period, doubled for each of them, shortened
/// at random, and never below the configured one. `jitter` is uniform in `[0, 1)`.
pub(crate) fn open_period(settings: &BreakerSettings, failed_recoveries: u32, jitter: f64) -> Duration {
    let factor = 2_u32.saturating_pow(failed_recoveries);
    let grown = settings.recovery_timeout.saturating_mul(factor).min(settings.max_recovery_timeout);
    // Through `try_from`: a period near `Duration::MAX` must shorten, not overflow.
    let cut = grown.as_secs_f64() * settings.recovery_jitter * jitter;
    let cut = Duration::try_from_secs_f64(cut).unwrap_or(Duration::ZERO);
    grown.saturating_sub(cut).max(settings.recovery_timeout)
}
