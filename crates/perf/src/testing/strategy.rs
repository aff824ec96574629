//! Generators for property tests. They make valid values only; invalid ones are each test's own.
//!
//! ```
//! use proptest::strategy::{Strategy, ValueTree};
//! use proptest::test_runner::TestRunner;
//! use ttm_perf::testing::{any_event, any_event_query, any_range_query, sample};
//!
//! let mut runner = TestRunner::deterministic();
//! let drawn = (sample(), any_event(), any_range_query(), any_event_query()).new_tree(&mut runner).expect("drawn");
//! let (sample, event, range, events) = drawn.current();
//! assert!(sample.value().is_finite() && range.from() < range.to());
//! assert!(event.payload().as_str().starts_with('{') && events.limit() > 0);
//! ```

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use std::time::Duration;

use ttm_kernel::Severity;

use crate::{
    Aggregate, Event, EventCursor, EventId, EventKind, EventQuery, Payload, RangeQuery, Sample, SeriesKey,
    Subject,
};

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

/// A time from 1970 to 2100, to the microsecond.
fn time() -> impl Strategy<Value = Timestamp> {
    (0_i64..4_102_444_800_000_000)
        .prop_map(|micros| Timestamp::from_microsecond(micros).expect("before 2100"))
}

/// Two times, the earlier one first.
fn period() -> impl Strategy<Value = (Timestamp, Timestamp)> {
    (time(), time())
        .prop_filter("of some length", |(one, other)| one != other)
        .prop_map(|(one, other)| (one.min(other), one.max(other)))
}

/// Any question for points of any series: with the shortest steps that its answer has room for, and longer ones.
pub fn any_range_query() -> impl Strategy<Value = RangeQuery> {
    (series_key(), period(), 1_u64..100, select(Aggregate::ALL.to_vec())).prop_map(
        |(series, (from, to), factor, aggregate)| {
            let span = to.as_second().saturating_sub(from.as_second()).unsigned_abs();
            let step = Duration::from_secs((span / (RangeQuery::MAX_POINTS - 1) + 1) * factor);
            RangeQuery::try_new(series, from, to, step, aggregate)
                .expect("no more points than an answer may have")
        },
    )
}

/// Any kind of event: up to four words.
pub fn any_event_kind() -> impl Strategy<Value = EventKind> {
    const WORD: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
    vec(text(WORD, 1..=12), 1..=4).prop_map(|words| words.join(".").parse().expect("built from words"))
}

/// Any subject: printable ASCII of any length.
pub fn any_subject() -> impl Strategy<Value = Subject> {
    "[!-~]{1,128}".prop_map(|text| text.parse().expect("printable ASCII without spaces"))
}

/// Any payload: objects of JSON as short as there are and as long as may be, in other spellings than a serializer's.
pub fn any_payload() -> impl Strategy<Value = Payload> {
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (any::<i32>(), 0_u32..300).prop_map(|(number, power)| format!("{number}.50e{power}")),
        select(vec!["null", "true", "-0", "1E+2", "\"\\u0000 \\ud800 \\\" ü\"", "[ ]", "{\"a\" : 1}"])
            .prop_map(str::to_owned),
    ];
    let longest = Just(format!("{{\"long\":\"{}\"}}", "x".repeat(Payload::MAX_BYTES - 11)));
    let fields = vec((text(NAME, 1..=8), value), 0..6).prop_map(|fields| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{ {} }}", fields.join(" ,"))
    });
    prop_oneof![20 => fields, 1 => longest].prop_map(|text| text.parse().expect("no longer than allowed"))
}

/// Any event, years 1970 to 2100, ids from 0 to the greatest.
pub fn any_event() -> impl Strategy<Value = Event> {
    let id = prop_oneof![any::<u128>(), 0_u128..3, Just(u128::MAX)].prop_map(EventId::from_bits);
    let parts = (id, time(), any_event_kind(), any_subject(), select(Severity::ALL.to_vec()), any_payload());
    parts.prop_map(|(id, at, kind, subject, severity, payload)| {
        Event::new(id, at, kind, subject, severity, payload)
    })
}

/// Any question for events: of any time, by the beginning of a kind, by a subject, after a page, and without each of these.
pub fn any_event_query() -> impl Strategy<Value = EventQuery> {
    let prefix = prop::option::of((any_event_kind(), 0_usize..12));
    let cursor = (time(), any::<u128>()).prop_map(|(at, id)| EventCursor { at, id: EventId::from_bits(id) });
    let limit = prop_oneof![1_usize..5, 1..=EventQuery::MAX_LIMIT];
    let parts = (period(), limit, prefix, prop::option::of(any_subject()), prop::option::of(cursor));
    parts.prop_map(|((from, to), limit, prefix, subject, cursor)| {
        let mut query = EventQuery::try_new(from, to, limit).expect("in order, and within the limit");
        if let Some((kind, length)) = prefix {
            let begin: String = kind.as_str().chars().take(length).collect();
            query = query.of_kind(&begin).expect("the beginning of a kind");
        }
        if let Some(subject) = subject {
            query = query.of_subject(subject);
        }
        match cursor {
            Some(cursor) => query.after(cursor),
            None => query,
        }
    })
}
