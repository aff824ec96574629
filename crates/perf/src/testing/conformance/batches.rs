//! The laws about what is appended: 1 to 3 and 8.

use ttm_kernel::testing::{expect, works};

use super::fixture::{Exactly, SECOND, append, count, each_second, key, sample, sums};
use crate::{MetricStore, Sample, SeriesKey};

/// Law 1, after a restart.
pub(super) async fn an_acknowledged_batch_survives_reopening(open: impl AsyncFn() -> Box<dyn MetricStore>) {
    let series = key("law1.reopened");
    let store = open().await;
    append(store.as_ref(), &[sample(&series, 5 * SECOND, 1.5)]).await;
    drop(store);
    let store = open().await;
    let points = sums(store.as_ref(), &series, 0, 10 * SECOND).await;
    expect("its points", [(5 * SECOND, Exactly(1.5), 1)], points);
}

/// Law 3, after a restart.
pub(super) async fn duplicates_are_known_after_reopening(open: impl AsyncFn() -> Box<dyn MetricStore>) {
    let series = key("law3.reopened");
    let store = open().await;
    append(store.as_ref(), &[sample(&series, 0, 1.0)]).await;
    drop(store);
    let store = open().await;
    let again = append(store.as_ref(), &[sample(&series, 0, 2.0), sample(&series, SECOND, 3.0)]).await;
    expect("stored and duplicates", (1, 1), again);
    let points = [(0, Exactly(1.0), 1), (SECOND, Exactly(3.0), 1)];
    expect("its points", points, sums(store.as_ref(), &series, 0, 10 * SECOND).await);
}

/// Law 8.
pub(super) async fn what_was_acknowledged_survives_closing(open: impl AsyncFn() -> Box<dyn MetricStore>) {
    let series = key("law8.closed");
    let store = open().await;
    append(store.as_ref(), &each_second(&series, 3)).await;
    store.close().await;
    store.close().await;
    drop(store);
    expect("samples", 3, count(open().await.as_ref(), &series).await);
}

/// Laws 1 and 8: a call that comes late is refused, or does what it says.
pub(super) async fn what_is_acknowledged_after_closing_is_stored(
    open: impl AsyncFn() -> Box<dyn MetricStore>,
) {
    let series = key("law8.late");
    let store = open().await;
    store.close().await;
    let late = store.append(&each_second(&series, 3)).await;
    drop(store);
    let kept = if late.is_ok() { 3 } else { 0 };
    expect(format!("samples after {late:?}"), kept, count(open().await.as_ref(), &series).await);
}

/// Laws 1 and 3: the counts add up to the batch.
pub(super) async fn every_sample_of_a_batch_is_either_stored_or_a_duplicate(store: &dyn MetricStore) {
    let series = key("law1.counts");
    let batch = each_second(&series, 10);
    for (sent, counts) in [(6, (6, 0)), (10, (4, 6)), (10, (0, 10))] {
        expect("stored and duplicates", counts, append(store, &batch[..sent]).await);
    }
    expect("samples", 10, count(store, &series).await);
}

/// Law 3, inside one batch and between batches.
pub(super) async fn the_first_value_of_a_time_wins(store: &dyn MetricStore) {
    let (series, other) = (key("law3.first"), key("law3.other"));
    let batch = [sample(&series, 0, 1.0), sample(&other, 0, 7.0), sample(&series, 0, 2.0)];
    expect("stored and duplicates", (2, 1), append(store, &batch).await);
    expect("the first of a batch", [(0, Exactly(1.0), 1)], sums(store, &series, 0, SECOND).await);
    expect("stored and duplicates", (0, 1), append(store, &[sample(&series, 0, 3.0)]).await);
    expect("the first of two", [(0, Exactly(1.0), 1)], sums(store, &series, 0, SECOND).await);
    expect("the other series", [(0, Exactly(7.0), 1)], sums(store, &other, 0, SECOND).await);
}

/// Law 3: whatever a store puts into one row, (series, time) is the identity. These are what the service writes of a score.
pub(super) async fn the_values_of_one_score_are_samples_of_their_own(store: &dyn MetricStore) {
    const MINT: &str = "So11111111111111111111111111111111111111112";
    let names = ["score", "smoothed_score", "tx_accel", "vol_momentum", "freshness", "orderflow"];
    let keys = names.map(|name| key(&format!("token.{name}{{mint={MINT}}}")));
    let values = [0.5, -0.25, 0.0, 1.0, 0.75, 0.125];
    let all: Vec<Sample> =
        keys.iter().zip(values).map(|(key, value)| sample(key, 7 * SECOND, value)).collect();
    let other = key("token.score{mint=11111111111111111111111111111111}");
    expect("stored and duplicates", (2, 0), append(store, &[all[1].clone(), all[4].clone()]).await);
    let rest = [vec![sample(&keys[4], 7 * SECOND, 9.0)], all.clone(), vec![sample(&other, 7 * SECOND, 3.0)]];
    expect("stored and duplicates", (5, 3), append(store, &rest.concat()).await);
    for (key, value) in keys.iter().zip(values).chain([(&other, 3.0)]) {
        let points = sums(store, key, 0, 60 * SECOND).await;
        expect(key, [(7 * SECOND, Exactly(value), 1)], points);
    }
}

/// Law 2, its smallest case.
pub(super) async fn an_empty_batch_is_stored_at_once(store: &dyn MetricStore) {
    expect("stored and duplicates", (0, 0), append(store, &[]).await);
}

/// Law 2, for a batch that no adapter stores in one statement.
pub(super) async fn a_large_batch_is_stored_whole(store: &dyn MetricStore) {
    const SERIES: u64 = 50;
    const EACH: u64 = 501;
    let keys: Vec<SeriesKey> = (0..SERIES).map(|n| key(&format!("law2.large{{n={n}}}"))).collect();
    let batch: Vec<Sample> = (0..EACH)
        .zip((0..).step_by(1_000_000))
        .flat_map(|(_, micros)| keys.iter().map(move |key| sample(key, micros, 1.0)))
        .collect();
    expect("stored and duplicates", (SERIES * EACH, 0), append(store, &batch).await);
    for key in &keys {
        expect(key, EACH, count(store, key).await);
    }
}

/// Laws 1 and 4: a series has no end, neither when it is written nor when it is read.
pub(super) async fn a_series_of_thousands_of_samples_is_returned_whole(store: &dyn MetricStore) {
    let series = key("law4.thousands");
    let batch = each_second(&series, 5_000);
    for (part, counts) in [(&batch[..2_000], (2_000, 0)), (&batch[1_000..], (3_000, 1_000))] {
        expect("stored and duplicates", counts, append(store, part).await);
    }
    expect("samples", 5_000, count(store, &series).await);
}

/// Laws 3 and 7: keys that differ in the last of their bytes.
pub(super) async fn the_longest_keys_are_told_apart(store: &dyn MetricStore) {
    let label = "x".repeat(SeriesKey::MAX_BYTES - "law3.long{l=0}".len());
    let keys = [0, 1].map(|n| key(&format!("law3.long{{l={label}{n}}}")));
    let batch = [sample(&keys[0], 0, 1.0), sample(&keys[1], 0, 2.0)];
    expect("stored and duplicates", (2, 0), append(store, &batch).await);
    for (key, value) in keys.iter().zip([1.0, 2.0]) {
        expect(key, [(0, Exactly(value), 1)], sums(store, key, 0, SECOND).await);
    }
    expect("the keys", keys, works("series", store.series("law3.long", None, 10).await));
}

/// Law 2: a time that a store may refuse, behind samples that it takes.
pub(super) async fn a_batch_is_stored_whole_or_refused_whole(store: &dyn MetricStore) {
    const COUNT: u16 = 2_500;
    let series = key("law2.refused");
    let mut batch = each_second(&series, COUNT.into());
    let ancient = Sample::try_new(series.clone(), jiff::Timestamp::MIN, 1.0).expect("finite");
    batch.push(ancient);
    let outcome = store.append(&batch).await;
    let kept = if outcome.is_ok() { u64::from(COUNT) } else { 0 };
    expect(format!("samples after {outcome:?}"), kept, count(store, &series).await);
    let counts = (u64::from(COUNT) - kept, kept);
    let again = append(store, &batch[..COUNT.into()]).await;
    expect("stored and duplicates of the rest", counts, again);
}
