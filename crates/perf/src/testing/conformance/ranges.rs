//! The laws about what a range answers: 4 to 6.

use std::time::Duration;

use jiff::Timestamp;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use ttm_kernel::testing::{expect, works};

use super::fixture::{Exactly, SECOND, append, at, count, exact, key, query, range, sample, sums};
use crate::testing::{FakeMetricStore, sample_of, series_key};
use crate::{Aggregate, MetricStore, RangeQuery, Sample};

/// Law 4.
pub(super) async fn a_range_holds_its_begin_and_not_its_end(store: &dyn MetricStore) {
    let series = key("law4.edges");
    let batch: Vec<Sample> = [-1, 0, 999_999, 1_000_000].map(|micros| sample(&series, micros, 1.0)).into();
    append(store, &batch).await;
    let whole = [(0, Exactly(2.0), 2)];
    expect("from the first sample to the last", whole, sums(store, &series, 0, SECOND).await);
    expect("between two samples", [], sums(store, &series, 1, 999_999).await);
    let of_nanos = async |from, to| {
        let [from, to] = [from, to].map(|nanos| Timestamp::from_nanosecond(nanos).expect("in range"));
        let step = Duration::from_secs(1);
        let query = RangeQuery::try_new(series.clone(), from, to, step, Aggregate::Count).expect("valid");
        range(store, &query).await.iter().map(|(.., count)| count).sum::<u64>()
    };
    expect("999999 µs is before 999999.001 µs", 2, of_nanos(0, 999_999_001).await);
    expect("0 µs is before 0.001 µs", 1, of_nanos(1, 999_999_001).await);
    expect("-1 µs is after -1.001 µs", 1, of_nanos(-1_001, -1).await);
}

/// Laws 3 and 4: neither longer names nor those that differ in case, nor in what some languages take for any character.
pub(super) async fn a_range_is_of_its_series_alone(store: &dyn MetricStore) {
    let names = [
        "law4.a",
        "law4.ab",
        "law4.a.b",
        "law4.a_b",
        "law4.axb",
        "law4.a{mint=So1}",
        "law4.a{mint=SO1}",
        "law4.a{mint=So11}",
        "own.law4.a",
    ];
    let keys = names.map(key);
    let batch: Vec<Sample> = (0_u8..).zip(&keys).map(|(n, key)| sample(key, 0, f64::from(n) + 1.0)).collect();
    expect("stored and duplicates", (9, 0), append(store, &batch).await);
    for (n, key) in (0_u8..).zip(&keys) {
        let points = [(0, Exactly(f64::from(n) + 1.0), 1)];
        expect(key, points, sums(store, key, 0, SECOND).await);
    }
}

/// Law 4: in ascending order, and none for a bucket without samples.
pub(super) async fn buckets_start_at_multiples_of_the_step(store: &dyn MetricStore) {
    let series = key("law4.buckets");
    let times = [-61, -1, 0, 59_999_999, 60_000_000, 240_000_000];
    let batch: Vec<Sample> = times.map(|micros| sample(&series, micros, 1.0)).into();
    append(store, &batch).await;
    let query = query(&series, -30_000_000, 300_000_000, 60, Aggregate::Count);
    let points = range(store, &query).await;
    let starts: Vec<(i64, u64)> = points.iter().map(|(at, _, count)| (at / SECOND, *count)).collect();
    expect("begins and counts", [(-60, 2), (0, 2), (60, 1), (240, 1)], starts);
}

/// Law 5.
pub(super) async fn an_unknown_series_has_no_points_and_stays_unknown(store: &dyn MetricStore) {
    const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
    let series = key("law5.never.written");
    expect("points", [], sums(store, &series, 0, SECOND).await);
    let ever = RangeQuery::try_new(series.clone(), Timestamp::MIN, Timestamp::MAX, CENTURY, Aggregate::Count);
    let points = range(store, &ever.expect("a few hundred points")).await;
    expect("points of all times", [], points);
    expect("known series", [], works("series", store.series("law5.", None, 10).await));
}

/// Law 6. Only a query of one microsecond can tell.
pub(super) async fn times_are_kept_to_the_microsecond(store: &dyn MetricStore) {
    let series = key("law6.times");
    let times = [-1_000_001, -1, 1, 1_700_000_000_123_456, 1_700_000_000_123_457, 4_102_444_799_999_999];
    let batch: Vec<Sample> = times.map(|micros| sample(&series, micros, 1.0)).into();
    expect("stored and duplicates", (6, 0), append(store, &batch).await);
    for micros in times {
        let points = sums(store, &series, micros, micros + 1).await;
        let start = micros.div_euclid(SECOND) * SECOND;
        expect(format!("what is at {micros} µs"), [(start, Exactly(1.0), 1)], points);
    }
}

/// Law 6.
pub(super) async fn values_are_kept_to_the_bit(store: &dyn MetricStore) {
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
    let batch: Vec<Sample> = (0..).zip(values).map(|(n, value)| sample(&series, n * SECOND, value)).collect();
    append(store, &batch).await;
    let points = sums(store, &series, 0, 60 * SECOND).await;
    expect("values", values.len(), points.len());
    for ((n, value), point) in (0..).zip(values).zip(points) {
        expect("to the bit", (n * SECOND, Exactly(value), 1), point);
    }
}

/// Laws 3, 4 and 6 on generated histories, the same in every run: whatever was appended in whatever order, every aggregate is the
/// fake's to the bit. Some hours of samples, which a store answers from the samples themselves.
pub(super) async fn any_history_gives_the_points_of_the_fake(store: &dyn MetricStore) {
    const HOURS: i64 = 7_200 * SECOND;
    let mut runner = TestRunner::deterministic();
    for history in 0..12 {
        let fake = FakeMetricStore::new();
        let generated = series_key().new_tree(&mut runner).expect("the strategy rejects nothing").current();
        let name = generated.as_str().split('{').next().unwrap_or_default().to_owned();
        let series = key(&format!("laws.h{history}.{name}"));
        let within = sample_of(series.clone()).prop_map(|any| {
            let micros = any.at().as_microsecond().rem_euclid(HOURS) - HOURS / 3;
            Sample::try_new(any.series().clone(), at(micros), any.value()).expect("it was finite")
        });
        let batches = proptest::collection::vec(proptest::collection::vec(within, 0..40), 1..4);
        for batch in batches.new_tree(&mut runner).expect("few values are rejected").current() {
            let expected = works("the fake's append", fake.append(&batch).await);
            let got = append(store, &batch).await;
            expect(format!("counts of {series}"), (expected.stored, expected.duplicates), got);
        }
        for aggregate in Aggregate::ALL {
            for step in [1, 600] {
                let query = query(&series, -HOURS / 4, HOURS / 2, step, aggregate);
                let expected = exact(&works("the fake's range", fake.range(&query).await));
                expect(format!("{aggregate} of {series}"), expected, range(store, &query).await);
            }
        }
        expect(
            format!("samples of {series} from 0 on"),
            count(&fake, &series).await,
            count(store, &series).await,
        );
    }
}
