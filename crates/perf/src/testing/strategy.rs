//! Generators for property tests. They make valid values only; invalid ones are each test's own.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{Sample, SeriesKey};

const NAME: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789._-";
const VALUE: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/";

fn text(characters: &'static [u8], length: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = String> {
    vec(select(characters), length).prop_map(|bytes| bytes.into_iter().map(char::from).collect())
}

/// Any valid key: a name and up to three labels.
pub fn series_key() -> impl Strategy<Value = SeriesKey> {
    let label = (text(NAME, 1..=8), text(VALUE, 1..=44)).prop_map(|(key, value)| format!("{key}={value}"));
    (text(NAME, 1..=24), vec(label, 0..=3)).prop_map(|(name, labels)| {
        let text = if labels.is_empty() { name } else { format!("{name}{{{}}}", labels.join(",")) };
        text.parse().expect("built from allowed characters, below the longest length")
    })
}

/// Any sample: any key, years 1970 to 2100, every finite value down to −0.0 and subnormals.
pub fn sample() -> impl Strategy<Value = Sample> {
    series_key().prop_flat_map(sample_of)
}

/// A sample of this series.
pub fn sample_of(series: SeriesKey) -> impl Strategy<Value = Sample> {
    let finite = any::<f64>().prop_filter("finite", |value| value.is_finite());
    (0_i64..4_102_444_800_000_000, finite).prop_map(move |(micros, value)| {
        let at = Timestamp::from_microsecond(micros).expect("before 2100");
        Sample::try_new(series.clone(), at, value).expect("finite")
    })
}
