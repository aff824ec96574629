//! The laws of [`MetricStore`] as a suite. Each law uses series of its own, so that all of them can share one store; a
//! broken law panics with what was expected.
//!
//! ```
//! use ttm_perf::MetricStore;
//! use ttm_perf::testing::{FakeMetricStore, conformance};
//!
//! # async fn suite() {
//! let memory = FakeMetricStore::new();
//! conformance::check(async || Box::new(memory.clone()) as Box<dyn MetricStore>).await;
//! # }
//! ```
#![expect(
    clippy::missing_panics_doc,
    reason = "a law that does not hold panics: that is what the suite is for"
)]

use std::time::Duration;

use jiff::Timestamp;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::{FakeMetricStore, sample_of, series_key};
use crate::{Aggregate, MetricStore, Point, RangeQuery, Sample, SeriesKey};

/// Checks every law. Each call of `open` opens the same store again, as a restarted process would, without removing
/// what is in it; the store before was dropped.
pub async fn check(open: impl AsyncFn() -> Box<dyn MetricStore>) {
    an_acknowledged_batch_survives_reopening(&open).await;
    let store = open().await;
    let store = store.as_ref();
    every_sample_of_a_batch_is_either_stored_or_a_duplicate(store).await;
    the_first_value_of_a_time_wins(store).await;
    an_empty_batch_is_stored_at_once(store).await;
    a_range_holds_its_begin_and_not_its_end(store).await;
    buckets_start_at_multiples_of_the_step(store).await;
    an_unknown_series_has_no_points(store).await;
    times_are_kept_to_the_microsecond(store).await;
    values_are_kept_to_the_bit(store).await;
    series_are_listed_by_prefix_in_order(store).await;
    a_large_batch_is_stored_whole(store).await;
    any_history_gives_the_points_of_the_fake(store).await;
}

fn key(text: &str) -> SeriesKey {
    text.parse().expect("the suite names its series well")
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).expect("the suite's times are in range")
}

fn sample(series: &SeriesKey, micros: i64, value: f64) -> Sample {
    Sample::try_new(series.clone(), at(micros), value).expect("the suite's values are finite")
}

fn query(series: &SeriesKey, from: i64, to: i64, step_seconds: u64, aggregate: Aggregate) -> RangeQuery {
    RangeQuery::try_new(series.clone(), at(from), at(to), Duration::from_secs(step_seconds), aggregate)
        .expect("the suite's questions are valid")
}

async fn sums(store: &dyn MetricStore, series: &SeriesKey, from: i64, to: i64) -> Vec<(i64, u64, u64)> {
    let points = store.range(&query(series, from, to, 1, Aggregate::Sum)).await.expect("range answers");
    exact(&points)
}

/// Points as numbers that compare to the bit.
fn exact(points: &[Point]) -> Vec<(i64, u64, u64)> {
    points.iter().map(|point| (point.at.as_microsecond(), point.value.to_bits(), point.count)).collect()
}

/// Law 1, after a restart. What a crash does to the store needs a process to kill, and is tested where there is one.
pub async fn an_acknowledged_batch_survives_reopening(open: impl AsyncFn() -> Box<dyn MetricStore>) {
    let series = key("law1.reopened");
    let store = open().await;
    store.append(&[sample(&series, 5_000_000, 1.5)]).await.expect("append works");
    drop(store);
    let store = open().await;
    let points = sums(store.as_ref(), &series, 0, 10_000_000).await;
    assert_eq!(points, [(5_000_000, 1.5_f64.to_bits(), 1)]);
}

/// Laws 1 and 3: the counts add up to the batch.
pub async fn every_sample_of_a_batch_is_either_stored_or_a_duplicate(store: &dyn MetricStore) {
    let series = key("law1.counts");
    let batch: Vec<Sample> = (0..10).map(|second| sample(&series, second * 1_000_000, 1.0)).collect();
    let first = store.append(&batch[..6]).await.expect("append works");
    assert_eq!((first.stored, first.duplicates), (6, 0));
    let second = store.append(&batch).await.expect("append works");
    assert_eq!((second.stored, second.duplicates), (4, 6));
    let again = store.append(&batch).await.expect("append works");
    assert_eq!((again.stored, again.duplicates), (0, 10));
    assert_eq!(sums(store, &series, 0, 10_000_000).await.len(), 10);
}

/// Law 3, between batches and inside one.
pub async fn the_first_value_of_a_time_wins(store: &dyn MetricStore) {
    let (series, other) = (key("law3.first"), key("law3.other"));
    let batch = [sample(&series, 0, 1.0), sample(&other, 0, 7.0), sample(&series, 0, 2.0)];
    let appended = store.append(&batch).await.expect("append works");
    assert_eq!((appended.stored, appended.duplicates), (2, 1));
    let later = store.append(&[sample(&series, 0, 3.0)]).await.expect("append works");
    assert_eq!((later.stored, later.duplicates), (0, 1));
    assert_eq!(sums(store, &series, 0, 1_000_000).await, [(0, 1.0_f64.to_bits(), 1)]);
    assert_eq!(sums(store, &other, 0, 1_000_000).await, [(0, 7.0_f64.to_bits(), 1)]);
}

/// Law 2, its smallest case.
pub async fn an_empty_batch_is_stored_at_once(store: &dyn MetricStore) {
    let appended = store.append(&[]).await.expect("append works");
    assert_eq!((appended.stored, appended.duplicates), (0, 0));
}

/// Law 4.
pub async fn a_range_holds_its_begin_and_not_its_end(store: &dyn MetricStore) {
    let series = key("law4.edges");
    let batch: Vec<Sample> = [-1, 0, 999_999, 1_000_000].map(|micros| sample(&series, micros, 1.0)).into();
    store.append(&batch).await.expect("append works");
    assert_eq!(sums(store, &series, 0, 1_000_000).await, [(0, 2.0_f64.to_bits(), 2)]);
    assert_eq!(sums(store, &series, 1, 999_999).await, []);
    let nanosecond_later = Timestamp::from_nanosecond(999_999_001).expect("in range");
    let query =
        RangeQuery::try_new(series, at(0), nanosecond_later, Duration::from_secs(1), Aggregate::Count)
            .expect("the suite's questions are valid");
    let points = store.range(&query).await.expect("range answers");
    assert_eq!(points.iter().map(|point| point.count).sum::<u64>(), 2, "999999 µs is before 999999.001 µs");
}

/// Law 4.
pub async fn buckets_start_at_multiples_of_the_step(store: &dyn MetricStore) {
    let series = key("law4.buckets");
    let batch: Vec<Sample> =
        [-1, 0, 59_999_999, 60_000_000, 240_000_000].map(|micros| sample(&series, micros, 1.0)).into();
    store.append(&batch).await.expect("append works");
    let query = query(&series, -30_000_000, 300_000_000, 60, Aggregate::Count);
    let points = store.range(&query).await.expect("range answers");
    let starts: Vec<(i64, u64)> = points.iter().map(|point| (point.at.as_second(), point.count)).collect();
    assert_eq!(starts, [(-60, 1), (0, 2), (60, 1), (240, 1)]);
}

/// Law 5.
pub async fn an_unknown_series_has_no_points(store: &dyn MetricStore) {
    assert_eq!(sums(store, &key("law5.never.written"), 0, 1_000_000).await, []);
    let everything = RangeQuery::try_new(
        key("law5.never.written"),
        Timestamp::MIN,
        Timestamp::MAX,
        CENTURY,
        Aggregate::Count,
    );
    let points = store.range(&everything.expect("a few hundred points")).await.expect("range answers");
    assert_eq!(points, []);
}

const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);

/// Law 6.
pub async fn times_are_kept_to_the_microsecond(store: &dyn MetricStore) {
    let series = key("law6.times");
    let times = [-1_000_001, -1, 1, 1_700_000_000_123_456, 1_700_000_000_123_457, 4_102_444_799_999_999];
    let batch: Vec<Sample> = times.map(|micros| sample(&series, micros, 1.0)).into();
    store.append(&batch).await.expect("append works");
    for micros in times {
        // Only a query of this one microsecond can tell.
        let points = sums(store, &series, micros, micros + 1).await;
        assert_eq!(points.iter().map(|(.., count)| count).sum::<u64>(), 1, "{micros} µs");
    }
}

/// Law 6.
pub async fn values_are_kept_to_the_bit(store: &dyn MetricStore) {
    let values = [
        0.0,
        -0.0,
        0.1 + 0.2,
        1.0,
        -1.0,
        9_007_199_254_740_993.0,
        1e300,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        f64::EPSILON,
    ];
    let series = key("law6.values");
    let batch: Vec<Sample> =
        (0..).zip(values).map(|(n, value)| sample(&series, n * 1_000_000, value)).collect();
    store.append(&batch).await.expect("append works");
    let got: Vec<u64> =
        sums(store, &series, 0, 60_000_000).await.into_iter().map(|(_, bits, _)| bits).collect();
    assert_eq!(got, values.map(f64::to_bits));
}

/// Law 7.
pub async fn series_are_listed_by_prefix_in_order(store: &dyn MetricStore) {
    let names = ["law7.b", "law7.a{mint=So1}", "law7.a", "law7.a{mint=SO1}", "law7.a.b", "law7._", "law70"];
    let batch: Vec<Sample> = names.iter().map(|name| sample(&key(name), 0, 1.0)).collect();
    store.append(&batch).await.expect("append works");
    let list = async |prefix: &str, limit: usize| {
        let keys = store.series(prefix, None, limit).await.expect("series answers");
        keys.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let sorted = ["law7._", "law7.a", "law7.a.b", "law7.a{mint=SO1}", "law7.a{mint=So1}", "law7.b"];
    assert_eq!(list("law7.", 100).await, sorted);
    assert_eq!(list("law7.", 2).await, sorted[..2]);
    assert_eq!(list("law7.a{", 100).await, sorted[3..5]);
    assert_eq!(list("law7.b", 100).await, sorted[5..]);
    for nothing in ["law7.%", "law7.?", "law7.*", "LAW7", "law7.bb", "law7.\u{0}", "law7.'", "law7.ü"] {
        assert_eq!(list(nothing, 100).await, [""; 0], "{nothing:?}");
    }
    assert_eq!(list("law7.", 0).await, [""; 0]);
    // Pages, by the last key of the one before; it need not be there, nor have the prefix.
    for (after, left) in
        [("law7._", 1), ("law7.a", 2), ("law7.a0", 3), ("law7.b", 6), ("law6", 0), ("law70", 6)]
    {
        let after = key(after);
        let keys = store.series("law7.", Some(after.clone()), 2).await.expect("series answers");
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        assert_eq!(keys, sorted[left..sorted.len().min(left + 2)], "after {after}");
    }
    assert!(list("", usize::MAX).await.len() >= names.len());
}

/// Law 2, for a batch that no adapter stores in one statement.
pub async fn a_large_batch_is_stored_whole(store: &dyn MetricStore) {
    const SERIES: i64 = 50;
    const EACH: i64 = 500;
    let keys: Vec<SeriesKey> = (0..SERIES).map(|n| key(&format!("law2.large{{n={n}}}"))).collect();
    let batch: Vec<Sample> = (0..EACH)
        .flat_map(|second| keys.iter().map(move |key| sample(key, second * 1_000_000, 1.0)))
        .collect();
    let appended = store.append(&batch).await.expect("append works");
    assert_eq!((appended.stored, appended.duplicates), (batch.len() as u64, 0));
    for key in &keys {
        let points =
            store.range(&query(key, 0, EACH * 1_000_000, 60, Aggregate::Count)).await.expect("range");
        assert_eq!(points.iter().map(|point| point.count).sum::<u64>(), EACH.unsigned_abs());
    }
}

/// Laws 3, 4 and 6 on generated histories, the same in every run: whatever was appended in whatever order, every
/// aggregate is the fake's to the bit.
pub async fn any_history_gives_the_points_of_the_fake(store: &dyn MetricStore) {
    let mut runner = TestRunner::deterministic();
    for history in 0..12 {
        let fake = FakeMetricStore::new();
        let generated = series_key().new_tree(&mut runner).expect("the strategy rejects nothing").current();
        let name = generated.as_str().split('{').next().unwrap_or_default().to_owned();
        let series = key(&format!("laws.h{history}.{name}"));
        let batches =
            proptest::collection::vec(proptest::collection::vec(sample_of(series.clone()), 0..40), 1..4);
        for batch in batches.new_tree(&mut runner).expect("few values are rejected").current() {
            let expected = fake.append(&batch).await.expect("the fake works");
            assert_eq!(store.append(&batch).await.expect("append works"), expected);
        }
        for aggregate in Aggregate::ALL {
            let query = query(&series, 0, 4_102_444_800_000_000, 30 * 86_400, aggregate);
            let expected = fake.range(&query).await.expect("the fake works");
            let got = store.range(&query).await.expect("range answers");
            assert_eq!(exact(&got), exact(&expected), "{aggregate} of {series}");
        }
    }
}
