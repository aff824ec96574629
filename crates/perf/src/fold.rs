//! The one arithmetic from samples to points, so that every store gives the same answer.

use jiff::Timestamp;

use crate::{Aggregate, Point, RangeQuery};

/// Folds the samples of one series, pushed in ascending time, into the points of a [`RangeQuery`].
///
/// - A bucket starts at a multiple of the step since the Unix epoch, so the first one may start before the query does;
///   samples outside the query are ignored all the same. Buckets without samples give no point.
/// - A percentile is exact: the value of nearest rank `⌈p·n⌉`. Only percentiles keep the values of a bucket (one at a
///   time) in memory; the other aggregates need none.
/// - Values are ordered as by [`f64::total_cmp`], so −0.0 is below 0.0. A sum beyond the range of `f64` saturates, and
///   a mean stays between the smallest and the largest value: finite samples give finite points.
#[derive(Clone, Debug)]
pub struct Fold {
    from: Timestamp,
    to: Timestamp,
    step_seconds: i64,
    aggregate: Aggregate,
    bucket: Option<Bucket>,
    points: Vec<Point>,
}

impl Fold {
    /// A fold for the answer to this query.
    pub fn new(query: &RangeQuery) -> Self {
        Self {
            from: query.from(),
            to: query.to(),
            step_seconds: i64::try_from(query.step().as_secs()).unwrap_or(i64::MAX),
            aggregate: query.aggregate(),
            bucket: None,
            points: Vec::new(),
        }
    }

    /// Takes the next sample of the series; `at` is not before the time of the previous one.
    pub fn push(&mut self, at: Timestamp, value: f64) {
        if at < self.from || at >= self.to {
            return;
        }
        let start = self.bucket_start(at);
        match &mut self.bucket {
            Some(bucket) if bucket.start == start => bucket.push(value, self.aggregate),
            full => {
                debug_assert!(
                    full.as_ref().is_none_or(|full| full.start < start),
                    "samples come in ascending time"
                );
                let full = full.replace(Bucket::new(start, value, self.aggregate));
                self.points.extend(full.map(|full| full.close(self.aggregate)));
            }
        }
    }

    /// The points, ascending.
    pub fn finish(mut self) -> Vec<Point> {
        self.points.extend(self.bucket.take().map(|last| last.close(self.aggregate)));
        self.points
    }

    /// Seconds since the epoch at which the bucket of `at` starts.
    fn bucket_start(&self, at: Timestamp) -> i64 {
        // `as_second` truncates towards zero, which is the wrong side before 1970.
        let second = at.as_microsecond().div_euclid(1_000_000);
        second.div_euclid(self.step_seconds).saturating_mul(self.step_seconds)
    }
}

/// The samples of one bucket; never empty.
#[derive(Clone, Debug)]
struct Bucket {
    start: i64,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    /// Filled for percentiles only.
    values: Vec<f64>,
}

impl Bucket {
    fn new(start: i64, first: f64, aggregate: Aggregate) -> Self {
        let values = if percent(aggregate).is_some() { vec![first] } else { Vec::new() };
        Self { start, count: 1, sum: first, min: first, max: first, values }
    }

    fn push(&mut self, value: f64, aggregate: Aggregate) {
        self.count += 1;
        self.sum = (self.sum + value).clamp(f64::MIN, f64::MAX);
        self.min = std::cmp::min_by(self.min, value, f64::total_cmp);
        self.max = std::cmp::max_by(self.max, value, f64::total_cmp);
        if percent(aggregate).is_some() {
            self.values.push(value);
        }
    }

    fn close(mut self, aggregate: Aggregate) -> Point {
        let value = match aggregate {
            Aggregate::Avg => (self.sum / self.count as f64).clamp(self.min, self.max),
            Aggregate::Min => self.min,
            Aggregate::Max => self.max,
            Aggregate::Sum => self.sum,
            Aggregate::Count => self.count as f64,
            Aggregate::P50 | Aggregate::P95 | Aggregate::P99 => nearest_rank(&mut self.values, aggregate),
        };
        // A step of centuries can start a bucket before the first representable time.
        let at = Timestamp::from_second(self.start).unwrap_or(Timestamp::MIN);
        Point { at, value, count: self.count }
    }
}

/// Which percentile an aggregate is, if it is one.
const fn percent(aggregate: Aggregate) -> Option<usize> {
    match aggregate {
        Aggregate::P50 => Some(50),
        Aggregate::P95 => Some(95),
        Aggregate::P99 => Some(99),
        Aggregate::Avg | Aggregate::Min | Aggregate::Max | Aggregate::Sum | Aggregate::Count => None,
    }
}

/// The value that `⌈p·n⌉` of the values do not exceed.
fn nearest_rank(values: &mut [f64], aggregate: Aggregate) -> f64 {
    let percent = percent(aggregate).unwrap_or(100);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    let (_, value, _) = values.select_nth_unstable_by(rank - 1, f64::total_cmp);
    *value
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::SeriesKey;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_microsecond(micros).expect("in range")
    }

    fn query(from: i64, to: i64, step_seconds: u64, aggregate: Aggregate) -> RangeQuery {
        let series: SeriesKey = "a".parse().expect("valid");
        RangeQuery::try_new(series, at(from), at(to), Duration::from_secs(step_seconds), aggregate)
            .expect("valid")
    }

    fn fold(query: &RangeQuery, samples: &[(i64, f64)]) -> Vec<Point> {
        let mut fold = Fold::new(query);
        for (micros, value) in samples {
            fold.push(at(*micros), *value);
        }
        fold.finish()
    }

    /// The values of the points for samples that share one bucket.
    fn one_bucket(aggregate: Aggregate, values: &[f64]) -> f64 {
        let samples: Vec<(i64, f64)> = (0..).zip(values.iter().copied()).collect();
        let points = fold(&query(0, 60_000_000, 60, aggregate), &samples);
        assert_eq!(points.len(), 1);
        assert_eq!(points[0].count, values.len() as u64);
        points[0].value
    }

    #[test]
    fn every_aggregate_of_a_known_bucket_has_its_textbook_value() {
        let values = [4.0, 1.0, 3.0, 2.0];
        let expected = [2.5, 1.0, 4.0, 10.0, 4.0, 2.0, 4.0, 4.0];
        for (aggregate, expected) in Aggregate::ALL.into_iter().zip(expected) {
            assert_eq!(one_bucket(aggregate, &values).to_bits(), f64::to_bits(expected), "{aggregate}");
        }
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(one_bucket(Aggregate::P50, &hundred).to_bits(), 50.0_f64.to_bits());
        assert_eq!(one_bucket(Aggregate::P95, &hundred).to_bits(), 95.0_f64.to_bits());
        assert_eq!(one_bucket(Aggregate::P99, &hundred).to_bits(), 99.0_f64.to_bits());
    }

    #[test]
    fn buckets_start_at_multiples_of_the_step_also_before_the_epoch() {
        let samples = [(-61_000_000, 1.0), (-1, 1.0), (0, 1.0), (59_999_999, 1.0), (60_000_000, 1.0)];
        let points = fold(&query(-100_000_000, 100_000_000, 60, Aggregate::Count), &samples);
        let starts: Vec<(i64, u64)> =
            points.iter().map(|point| (point.at.as_second(), point.count)).collect();
        assert_eq!(starts, [(-120, 1), (-60, 1), (0, 2), (60, 1)]);
    }

    #[test]
    fn a_sample_at_the_start_counts_and_one_at_the_end_does_not() {
        let samples = [(9, 1.0), (10, 2.0), (19, 3.0), (20, 4.0)];
        let points = fold(&query(10, 20, 1, Aggregate::Sum), &samples);
        assert_eq!(points, [Point { at: at(0), value: 5.0, count: 2 }]);
    }

    #[test]
    fn extreme_values_give_finite_points() {
        assert_eq!(one_bucket(Aggregate::Sum, &[f64::MAX, f64::MAX]).to_bits(), f64::MAX.to_bits());
        assert_eq!(one_bucket(Aggregate::Avg, &[f64::MAX, f64::MAX]).to_bits(), f64::MAX.to_bits());
        assert_eq!(one_bucket(Aggregate::Min, &[0.0, -0.0]).to_bits(), (-0.0_f64).to_bits());
    }

    proptest! {
        #[test]
        fn points_agree_with_a_bucket_by_bucket_model(
            mut samples in prop::collection::vec((-500_000_000_i64..500_000_000, -1e6..1e6_f64), 0..80),
            step in 1_u64..100,
            from in -400_000_000_i64..0,
            length in 1_i64..800_000_000,
        ) {
            samples.sort_by_key(|(micros, _)| *micros);
            let to = from + length;
            for aggregate in Aggregate::ALL {
                let points = fold(&query(from, to, step, aggregate), &samples);
                prop_assert!(points.is_sorted_by(|a, b| a.at < b.at));
                let inside: Vec<_> = samples.iter().filter(|(micros, _)| (from..to).contains(micros)).collect();
                prop_assert_eq!(points.iter().map(|point| point.count).sum::<u64>(), inside.len() as u64);
                for point in points {
                    let start = point.at.as_microsecond();
                    let width = i64::try_from(step).expect("small") * 1_000_000;
                    prop_assert_eq!(start.rem_euclid(width), 0);
                    let mut values: Vec<f64> = inside
                        .iter()
                        .filter(|(micros, _)| (start..start + width).contains(micros))
                        .map(|(_, value)| *value)
                        .collect();
                    let sum: f64 = values.iter().sum();
                    values.sort_by(f64::total_cmp);
                    let at_percent = |p: usize| values[(values.len() * p).div_ceil(100) - 1];
                    let expected = match aggregate {
                        Aggregate::Avg => (sum / values.len() as f64).clamp(values[0], values[values.len() - 1]),
                        Aggregate::Min => values[0],
                        Aggregate::Max => values[values.len() - 1],
                        Aggregate::Sum => sum,
                        Aggregate::Count => values.len() as f64,
                        Aggregate::P50 => at_percent(50),
                        Aggregate::P95 => at_percent(95),
                        Aggregate::P99 => at_percent(99),
                    };
                    prop_assert_eq!(point.value.to_bits(), expected.to_bits(), "{}", aggregate);
                }
            }
        }
    }
}
