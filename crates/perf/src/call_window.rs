//! Calls, errors and latencies over sliding windows that really slide: counts by the second, with one histogram for each
//! question.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use ttm_kernel::Moment;

const MINUTE: Duration = Duration::from_mins(1);

/// Latencies above are counted as this much.
const LONGEST: Duration = Duration::from_mins(10);

/// Two significant digits give a bucket width of at most 1/128 of its values: a relative error below 1 %.
const SIGNIFICANT_DIGITS: u8 = 2;
/// As many leading bits tell those buckets apart.
const SIGNIFICANT_BITS: u32 = 8;

/// The calls of the last hour, by the second of the monotonic clock in which they ended.
///
/// A second keeps its counts and the latencies that 1 % tells apart, so that memory follows the calls and not the time:
/// an hour of five calls a second is about 1 MiB, and a second of any number of calls has its bound. A window ends now
/// and is never longer than its name says, and by less than a second shorter. Percentiles come from one histogram of the
/// whole window and are never averages of percentiles.
#[derive(Clone, Debug, Default)]
pub struct CallWindow {
    seconds: BTreeMap<u64, Second>,
}

/// The calls of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallSummary {
    /// Calls, failed ones included.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Mean latency of all calls, exact; `None` without calls.
    pub mean: Option<Duration>,
    /// Median latency, within 1 %; `None` without calls.
    pub p50: Option<Duration>,
    /// 95th percentile, within 1 %; `None` without calls.
    pub p95: Option<Duration>,
    /// 99th percentile, within 1 %; `None` without calls.
    pub p99: Option<Duration>,
    /// The time that the counts cover, up to the moment that was asked for: the divisor of a rate.
    pub covers: Duration,
}

impl CallSummary {
    /// Share of the calls that failed, 0 to 1; `None` without calls.
    pub fn error_rate(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.errors as f64 / self.calls as f64)
    }
}

impl CallWindow {
    /// The longest window.
    pub const LONGEST: Duration = Duration::from_hours(1);

    /// An empty window.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a call that ended at `now` after `latency`.
    ///
    /// Drops what is older than the longest window. A call that is itself older than that, seen from the newest one, is not
    /// counted.
    pub fn record(&mut self, now: Moment, latency: Duration, ok: bool) {
        let second = second_of(now);
        let newest = self.seconds.last_key_value().map_or(second, |(newest, _)| second.max(*newest));
        let oldest = first_of(newest, Self::LONGEST.as_secs());
        while let Some(entry) = self.seconds.first_entry().filter(|entry| *entry.key() < oldest) {
            entry.remove();
        }
        if second >= oldest {
            self.seconds.entry(second).or_default().record(latency, ok);
        }
    }

    /// The calls of the last `over`, which is rounded up to seconds and lies between one second and
    /// [`CallWindow::LONGEST`].
    pub fn summary(&self, now: Moment, over: Duration) -> CallSummary {
        let whole = whole_seconds(over);
        let current = second_of(now);
        let first = first_of(current, whole);
        let covers = now.since_origin().saturating_sub(Duration::from_secs(first));
        let mut total = Total::new();
        self.seconds.range(first..=current).for_each(|(_, second)| total.add(second));
        total.summary(covers)
    }

    /// Calls of the last minute. It builds no histogram, so it is cheap.
    ///
    /// In the first minute these are the calls so far.
    pub fn calls_per_minute(&self, now: Moment) -> f64 {
        let current = second_of(now);
        let first = first_of(current, MINUTE.as_secs());
        let calls: u64 = self.seconds.range(first..=current).map(|(_, second)| second.calls).sum();
        if current < MINUTE.as_secs() {
            return calls as f64;
        }
        // The second in which the minute starts is not counted; the result is scaled up for it.
        let under_way = f64::from(now.since_origin().subsec_nanos()) / 1e9;
        calls as f64 * 60.0 / (59.0 + under_way)
    }
}

/// A window's length in whole seconds.
fn whole_seconds(over: Duration) -> u64 {
    let over = over.min(CallWindow::LONGEST);
    (over.as_secs() + u64::from(over.subsec_nanos() > 0)).max(1)
}

/// The first second of a window of `whole` seconds that ends in `current`, which is included although it is not over.
const fn first_of(current: u64, whole: u64) -> u64 {
    (current + 1).saturating_sub(whole)
}

/// The second of the clock that `at` lies in.
fn second_of(at: Moment) -> u64 {
    at.since_origin().as_secs()
}

/// Calls of one second.
#[derive(Clone, Debug, Default)]
struct Second {
    calls: u64,
    errors: u64,
    total: Duration,
    /// Latencies in nanoseconds, so that one microsecond is still within the promised error, each with how often it came.
    latencies: Vec<(u64, u32)>,
}

impl Second {
    fn record(&mut self, latency: Duration, ok: bool) {
        self.calls += 1;
        self.errors += u64::from(!ok);
        self.total = self.total.saturating_add(latency);
        let bucket = bucket_of(nanos(latency.min(LONGEST)));
        match self.latencies.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.latencies[at].1 = self.latencies[at].1.saturating_add(1),
            Err(at) => self.latencies.insert(at, (bucket, 1)),
        }
    }
}

/// The smallest number in the histogram's bucket that holds `nanos`.
const fn bucket_of(nanos: u64) -> u64 {
    let below = (u64::BITS - nanos.leading_zeros()).saturating_sub(SIGNIFICANT_BITS);
    nanos >> below << below
}

/// Calls of several seconds.
struct Total {
    calls: u64,
    errors: u64,
    spent: Duration,
    latencies: Histogram<u32>,
}

impl Total {
    fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, nanos(LONGEST), SIGNIFICANT_DIGITS)
            .expect("the bounds are constants: 1 to 6·10¹¹ with two digits");
        Self { calls: 0, errors: 0, spent: Duration::ZERO, latencies }
    }

    fn add(&mut self, second: &Second) {
        self.calls += second.calls;
        self.errors += second.errors;
        self.spent = self.spent.saturating_add(second.total);
        for (bucket, count) in &second.latencies {
            self.latencies.saturating_record_n(*bucket, *count);
        }
    }

    fn summary(&self, covers: Duration) -> CallSummary {
        let percentile = |quantile: f64| {
            (self.calls > 0).then(|| Duration::from_nanos(self.latencies.value_at_quantile(quantile)))
        };
        CallSummary {
            calls: self.calls,
            errors: self.errors,
            mean: (self.calls > 0).then(|| mean(self.spent, self.calls)),
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

    fn millis(n: u64) -> Moment {
        Moment::from_origin(Duration::from_millis(n))
    }

    #[test]
    fn an_empty_window_has_no_latencies_and_not_zero() {
        let summary = CallWindow::new().summary(at(300), minutes(5));
        assert_eq!(summary, CallSummary { covers: Duration::from_secs(299), ..CallSummary::default() });
        assert_eq!(summary.error_rate(), None);
        assert!(CallWindow::new().calls_per_minute(at(60)) < f64::EPSILON, "none were made, which is known");
    }

    #[test]
    fn old_calls_slide_out_of_a_summary_and_then_out_of_memory() {
        let mut window = CallWindow::new();
        window.record(at(10), Duration::from_millis(5), true);
        assert_eq!(window.summary(at(69), minutes(1)).calls, 1);
        assert_eq!(window.summary(at(70), minutes(1)).calls, 0);
        assert_eq!(window.summary(at(70), Duration::from_millis(60_001)).calls, 1);
        for second in 0..10_000 {
            window.record(at(second), Duration::from_millis(second % 100), true);
        }
        assert_eq!(window.seconds.len(), 3_600);
        assert_eq!(window.summary(at(9_999), Duration::MAX).calls, 3_600);
        assert_eq!(window.summary(at(9_999), Duration::ZERO).calls, 1);
    }

    #[test]
    fn a_second_of_many_calls_takes_bounded_memory() {
        let mut window = CallWindow::new();
        for call in 0..100_000_u64 {
            window.record(at(0), Duration::from_nanos(call * call * 60), true);
        }
        let kept = window.seconds[&0].latencies.len();
        assert!(kept < 4_400, "{kept}");
        assert_eq!(window.summary(at(0), minutes(1)).calls, 100_000);
    }

    #[test]
    fn an_even_pace_is_reported_exactly_at_any_moment() {
        // Ten a second for five minutes, then fifty a minute.
        let mut window = CallWindow::new();
        let mut record = |from: u64, to: u64, every: u64| {
            for now in (from..to).step_by(usize::try_from(every).expect("small")) {
                window.record(millis(now), Duration::from_millis(1), true);
            }
        };
        record(0, 300_000, 100);
        record(300_000, 420_000, 1_200);
        for now in (361_000..420_000).step_by(10) {
            let rate = window.calls_per_minute(millis(now));
            assert!((49.0..=51.7).contains(&rate), "{rate} at {now}");
        }
    }

    #[test]
    fn in_the_first_minute_the_calls_so_far_are_those_of_the_last_minute() {
        let mut window = CallWindow::new();
        for second in 0..10 {
            window.record(at(second), Duration::from_millis(1), true);
        }
        for now in [9_000, 9_999, 59_999] {
            assert_eq!(window.calls_per_minute(millis(now)).to_bits(), 10_f64.to_bits(), "{now}");
        }
    }

    #[test]
    fn jumps_of_the_clock_break_no_law() {
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

    proptest! {
        #[test]
        fn a_summary_agrees_with_the_list_of_all_calls(
            mut calls in prop::collection::vec((0_u64..9_000, 1_000_u64..600_000_000_000, any::<bool>()), 1..120),
            later in 0_u64..300,
            over in 1_u64..3_601,
        ) {
            calls.sort_by_key(|(second, ..)| *second);
            let mut window = CallWindow::new();
            for (second, latency, ok) in &calls {
                window.record(at(*second), Duration::from_nanos(*latency), *ok);
            }
            let now = calls[calls.len() - 1].0 + later;
            let summary = window.summary(at(now), Duration::from_secs(over));

            let first = (now + 1).saturating_sub(over);
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

        #[test]
        fn a_window_covers_what_its_name_says_to_a_second(
            mut calls in prop::collection::vec((0_u64..400_000, any::<bool>()), 1..200),
            later in 0_u64..100_000,
            over in 1_000_u64..400_000,
        ) {
            calls.sort_unstable();
            let mut window = CallWindow::new();
            for (at, ok) in &calls {
                window.record(millis(*at), Duration::from_millis(1), *ok);
            }
            let now = calls[calls.len() - 1].0 + later;
            let whole = over.div_ceil(1_000) * 1_000;
            let summary = window.summary(millis(now), Duration::from_millis(over));
            let within = |age: u64| calls.iter().filter(|(at, _)| now - at < age).count() as u64;
            // Nothing that is older, and all but the second in which the window begins.
            prop_assert!(summary.calls <= within(whole));
            prop_assert!(summary.calls >= within(whole - 999));
            prop_assert!(summary.covers <= Duration::from_millis(whole));
            prop_assert!(summary.covers >= Duration::from_millis((whole - 1_000).min(now)));
            let rate = window.calls_per_minute(millis(now));
            let (least, most) = (within(59_001) as f64, within(60_000) as f64 * 60.0 / 59.0);
            prop_assert!((least..=most).contains(&rate), "{rate}, not {least} to {most}");
        }
    }
}
