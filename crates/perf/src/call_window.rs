//! Calls, errors and latencies over sliding minutes. It does not know what is called, and reads no clock.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use ttm_kernel::Moment;

/// Width of a minute on the monotonic clock, counted from the clock's origin.
const MINUTE: Duration = Duration::from_mins(1);

/// Latencies above are counted as this much.
const LONGEST: Duration = Duration::from_mins(10);

/// Two significant digits give a bucket width of at most 1/128 of its values: a relative error below 1 %.
const SIGNIFICANT_DIGITS: u8 = 2;

/// The calls of the last hour, minute by minute.
///
/// A minute costs about 17 KiB, and only when it had calls: one hour of them is about 1 MiB. Recording is O(1).
/// Percentiles over several minutes come from merged histograms and are never averages of percentiles.
#[derive(Clone, Debug, Default)]
pub struct CallWindow {
    minutes: BTreeMap<u64, Minute>,
}

/// What happened over some minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallSummary {
    /// Calls, failed ones included.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Mean latency of all calls, exact; none without calls.
    pub mean: Option<Duration>,
    /// Median latency, within 1 %; none without calls.
    pub p50: Option<Duration>,
    /// 95th percentile, within 1 %; none without calls.
    pub p95: Option<Duration>,
    /// 99th percentile, within 1 %; none without calls.
    pub p99: Option<Duration>,
    /// The time that the counts cover, up to the moment that was asked for: the divisor of a rate.
    pub covers: Duration,
}

impl CallSummary {
    /// Share of the calls that failed, 0 to 1; none without calls.
    pub fn error_rate(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.errors as f64 / self.calls as f64)
    }
}

impl CallWindow {
    /// Whole minutes that are kept besides the one under way.
    pub const MINUTES: u64 = 60;

    /// An empty window.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a call that ended at `now` after `latency`.
    ///
    /// Minutes older than the window are forgotten here. A call that is itself older than the window of the newest
    /// one is not counted.
    pub fn record(&mut self, now: Moment, latency: Duration, ok: bool) {
        let minute = minute_of(now);
        let newest = self.minutes.last_key_value().map_or(minute, |(newest, _)| minute.max(*newest));
        let oldest = newest.saturating_sub(Self::MINUTES);
        while let Some(entry) = self.minutes.first_entry().filter(|entry| *entry.key() < oldest) {
            entry.remove();
        }
        if minute >= oldest {
            self.minutes.entry(minute).or_insert_with(Minute::new).record(latency, ok);
        }
    }

    /// The calls of the minute under way and of the whole minutes before it that make up `over`, which is rounded up
    /// to minutes and lies between one minute and [`CallWindow::MINUTES`].
    pub fn summary(&self, now: Moment, over: Duration) -> CallSummary {
        let whole = over.as_secs().div_ceil(MINUTE.as_secs()).clamp(1, Self::MINUTES);
        let (minutes, covers) = self.covering(now, whole);
        let mut total = Minute::new();
        minutes.for_each(|minute| total.merge(minute));
        total.summary(covers)
    }

    /// Calls per minute over the minute under way and the one before; none until a whole minute is covered. Merges no
    /// histograms, so it may be asked for often.
    pub fn calls_per_minute(&self, now: Moment) -> Option<f64> {
        let (minutes, covers) = self.covering(now, 1);
        let calls: u64 = minutes.map(|minute| minute.calls).sum();
        (covers >= MINUTE).then(|| calls as f64 * MINUTE.as_secs_f64() / covers.as_secs_f64())
    }

    /// The minute under way and `whole` minutes before it, and the time that they cover up to `now`.
    fn covering(&self, now: Moment, whole: u64) -> (impl Iterator<Item = &Minute>, Duration) {
        let current = minute_of(now);
        let first = current.saturating_sub(whole);
        let covers = now.since_origin().saturating_sub(Duration::from_secs(first * MINUTE.as_secs()));
        (self.minutes.range(first..=current).map(|(_, minute)| minute), covers)
    }
}

/// The minute of the clock that `at` lies in.
fn minute_of(at: Moment) -> u64 {
    at.since_origin().as_secs() / MINUTE.as_secs()
}

/// Calls of one minute, or of several merged.
#[derive(Clone, Debug)]
struct Minute {
    calls: u64,
    errors: u64,
    total: Duration,
    /// Nanoseconds, so that one microsecond is still within the promised error.
    latencies: Histogram<u32>,
}

impl Minute {
    fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, nanos(LONGEST), SIGNIFICANT_DIGITS)
            .expect("the bounds are constants: 1 to 6·10¹¹ with two digits");
        Self { calls: 0, errors: 0, total: Duration::ZERO, latencies }
    }

    fn record(&mut self, latency: Duration, ok: bool) {
        self.calls += 1;
        self.errors += u64::from(!ok);
        self.total = self.total.saturating_add(latency);
        self.latencies.saturating_record(nanos(latency.min(LONGEST)));
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.total = self.total.saturating_add(other.total);
        self.latencies.add(&other.latencies).expect("all minutes have the same bounds");
    }

    fn summary(&self, covers: Duration) -> CallSummary {
        let percentile = |quantile: f64| {
            (self.calls > 0).then(|| Duration::from_nanos(self.latencies.value_at_quantile(quantile)))
        };
        CallSummary {
            calls: self.calls,
            errors: self.errors,
            mean: (self.calls > 0).then(|| mean(self.total, self.calls)),
            p50: percentile(0.50),
            p95: percentile(0.95),
            p99: percentile(0.99),
            covers,
        }
    }
}

/// `total / calls`, for more calls than `Duration`'s own division takes.
fn mean(total: Duration, calls: u64) -> Duration {
    Duration::from_nanos(u64::try_from(total.as_nanos() / u128::from(calls)).unwrap_or(u64::MAX))
}

/// A duration as nanoseconds, saturating.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(n * 60)
    }

    #[test]
    fn an_empty_window_says_none_and_not_zero() {
        let summary = CallWindow::new().summary(at(300), minutes(5));
        assert_eq!(summary, CallSummary { covers: minutes(5), ..CallSummary::default() });
        assert_eq!(summary.error_rate(), None);
        assert_eq!(CallWindow::new().calls_per_minute(at(59)), None);
        assert_eq!(CallWindow::new().calls_per_minute(at(60)), Some(0.0));
    }

    #[test]
    fn old_minutes_slide_out_of_a_summary_and_then_out_of_memory() {
        let mut window = CallWindow::new();
        window.record(at(10), Duration::from_millis(5), true);
        assert_eq!(window.summary(at(119), minutes(1)).calls, 1);
        assert_eq!(window.summary(at(120), minutes(1)).calls, 0);
        assert_eq!(window.summary(at(120), minutes(2)).calls, 1);
        for minute in 0..1000 {
            window.record(at(minute * 60), Duration::from_millis(5), true);
        }
        assert_eq!(window.minutes.len(), 61);
    }

    #[test]
    fn a_clock_that_jumps_either_way_loses_no_sense() {
        let mut window = CallWindow::new();
        window.record(at(60), Duration::from_millis(1), true);
        window.record(Moment::MAX, Duration::from_millis(1), false);
        assert_eq!(window.summary(Moment::MAX, minutes(60)).calls, 1);
        window.record(at(60), Duration::from_millis(1), true);
        assert_eq!(window.summary(Moment::MAX, minutes(60)).calls, 1);
        assert_eq!(window.summary(at(60), Duration::MAX).calls, 0);
    }

    #[test]
    fn latencies_beyond_the_bounds_are_counted_at_the_bounds() {
        let mut window = CallWindow::new();
        window.record(at(0), Duration::MAX, true);
        let p50 = window.summary(at(0), minutes(1)).p50.expect("one call");
        assert!(p50 >= LONGEST && p50 <= LONGEST.mul_f64(1.01), "{p50:?}");
        let mut window = CallWindow::new();
        window.record(at(0), Duration::ZERO, true);
        assert_eq!(window.summary(at(0), minutes(1)).p99, Some(Duration::ZERO));
    }

    #[test]
    fn a_rate_divides_by_the_time_that_is_covered() {
        let mut window = CallWindow::new();
        for second in 0..150 {
            window.record(at(second), Duration::from_millis(1), second % 10 != 0);
        }
        let summary = window.summary(at(150), minutes(1));
        assert_eq!(summary.covers, Duration::from_secs(90));
        assert_eq!(window.calls_per_minute(at(150)).map(f64::to_bits), Some(60.0_f64.to_bits()));
        assert_eq!(summary.error_rate().map(f64::to_bits), Some(0.1_f64.to_bits()));
    }

    proptest! {
        #[test]
        fn a_summary_agrees_with_the_list_of_all_calls(
            mut calls in prop::collection::vec((0_u64..9_000, 1_000_u64..600_000_000_000, any::<bool>()), 1..120),
            later in 0_u64..300,
            over in 1_u64..61,
        ) {
            calls.sort_by_key(|(second, ..)| *second);
            let mut window = CallWindow::new();
            for (second, latency, ok) in &calls {
                window.record(at(*second), Duration::from_nanos(*latency), *ok);
            }
            let now = calls[calls.len() - 1].0 + later;
            let summary = window.summary(at(now), minutes(over));

            let first = (now / 60).saturating_sub(over) * 60;
            let seen: Vec<_> = calls.iter().filter(|(second, ..)| *second >= first).collect();
            prop_assert_eq!(summary.calls, seen.len() as u64);
            prop_assert_eq!(summary.errors, seen.iter().filter(|(.., ok)| !ok).count() as u64);
            prop_assert_eq!(summary.covers, Duration::from_secs(now - first));
            let mut latencies: Vec<u64> = seen.iter().map(|(_, latency, _)| *latency).collect();
            latencies.sort_unstable();
            prop_assert_eq!(summary.mean.is_some(), !latencies.is_empty());
            if let Some(mean) = summary.mean {
                let sum: u64 = latencies.iter().sum();
                prop_assert_eq!(mean, Duration::from_nanos(sum / latencies.len() as u64));
            }
            for (percent, got) in [(50, summary.p50), (95, summary.p95), (99, summary.p99)] {
                prop_assert_eq!(got.is_some(), !latencies.is_empty());
                let Some(got) = got else { continue };
                // The quantile is a float: it may ask for the rank after the exact one.
                let rank = (latencies.len() * percent).div_ceil(100).max(1);
                let near = [latencies[rank - 1], latencies[rank.min(latencies.len() - 1)]];
                let close = |exact: u64| (got.as_nanos() as f64 / exact as f64 - 1.0).abs() <= 0.01;
                prop_assert!(near.into_iter().any(close), "p{}: {:?}, exact {:?}", percent, got, near);
            }
        }
    }
}
