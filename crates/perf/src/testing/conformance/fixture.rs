//! Series, samples and questions that the laws of a [`MetricStore`] share. Series are named after their law; none is one that
//! the service writes, but where a law says so, so that all of them are kept sample by sample.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::testing::works;

use crate::{Aggregate, Appended, MetricStore, Point, RangeQuery, Sample, SeriesKey};

pub(super) const SECOND: i64 = 1_000_000;

pub(super) fn key(text: &str) -> SeriesKey {
    text.parse().expect("the suite names its series well")
}

pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).expect("the suite's times are in range")
}

pub(super) fn sample(series: &SeriesKey, micros: i64, value: f64) -> Sample {
    Sample::try_new(series.clone(), at(micros), value).expect("the suite's values are finite")
}

/// One sample a second from the epoch on.
pub(super) fn each_second(series: &SeriesKey, samples: i64) -> Vec<Sample> {
    (0..samples).map(|second| sample(series, second * SECOND, 1.0)).collect()
}

pub(super) fn query(
    series: &SeriesKey,
    from: i64,
    to: i64,
    step_seconds: u64,
    aggregate: Aggregate,
) -> RangeQuery {
    RangeQuery::try_new(series.clone(), at(from), at(to), Duration::from_secs(step_seconds), aggregate)
        .expect("the suite's questions are valid")
}

/// Appends, and returns what was stored and what was a duplicate.
pub(super) async fn append(store: &dyn MetricStore, samples: &[Sample]) -> (u64, u64) {
    let Appended { stored, duplicates } = works("append", store.append(samples).await);
    (stored, duplicates)
}

pub(super) async fn range(store: &dyn MetricStore, query: &RangeQuery) -> Vec<Row> {
    exact(&works("range", store.range(query).await))
}

/// The sums of each second.
pub(super) async fn sums(store: &dyn MetricStore, series: &SeriesKey, from: i64, to: i64) -> Vec<Row> {
    range(store, &query(series, from, to, 1, Aggregate::Sum)).await
}

/// How many samples there are in the first hours from the epoch on.
pub(super) async fn count(store: &dyn MetricStore, series: &SeriesKey) -> u64 {
    let points = range(store, &query(series, 0, 10_000 * SECOND, 60, Aggregate::Count)).await;
    points.iter().map(|(.., count)| count).sum()
}

/// A point that compares to the bit: the begin of its bucket in microseconds, its value, its samples.
pub(super) type Row = (i64, Exactly, u64);

/// A value that is equal to no other, be it as near as −0.0 to 0.0.
#[derive(Clone, Copy)]
pub(super) struct Exactly(pub(super) f64);

impl PartialEq for Exactly {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl fmt::Debug for Exactly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(super) fn exact(points: &[Point]) -> Vec<Row> {
    points.iter().map(|point| (point.at.as_microsecond(), Exactly(point.value), point.count)).collect()
}
