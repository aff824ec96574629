//! Names of series, and their samples.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

/// The name of a series: lower-case words with `.`, `_` and `-`, then optional labels in braces, as in
/// `token.score{mint=So111…}`. At most [`SeriesKey::MAX_BYTES`] bytes of printable ASCII without spaces or quotes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey(Arc<str>);

/// Why a text names no series.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSeries {
    /// Empty or too long.
    #[error("{got} bytes, expected 1 to {max}", max = SeriesKey::MAX_BYTES)]
    Length {
        /// Its bytes.
        got: usize,
    },
    /// A character that no series has.
    #[error("{character:?} at byte {at} is not allowed; expected a name like `run.duration_ms{{group=hot}}`")]
    Character {
        /// The character.
        character: char,
        /// Where, in bytes from 0.
        at: usize,
    },
    /// Braces that do not close at the end, or labels that are not `key=value`.
    #[error("the labels are not of the form {{key=value,key=value}}")]
    Labels,
}

impl SeriesKey {
    /// The longest key, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SeriesKey {
    type Err = InvalidSeries;

    fn from_str(text: &str) -> Result<Self, InvalidSeries> {
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return Err(InvalidSeries::Length { got: text.len() });
        }
        let (name, labels) = match text.split_once('{') {
            None => (text, None),
            Some((name, rest)) => (name, Some(rest.strip_suffix('}').ok_or(InvalidSeries::Labels)?)),
        };
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let valued = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
        check(name, 0, named)?;
        if name.is_empty() {
            return Err(InvalidSeries::Labels);
        }
        let mut at = name.len() + 1;
        for label in labels.into_iter().flat_map(|labels| labels.split(',')) {
            let (key, value) = label.split_once('=').ok_or(InvalidSeries::Labels)?;
            if key.is_empty() || value.is_empty() {
                return Err(InvalidSeries::Labels);
            }
            check(key, at, named)?;
            check(value, at + key.len() + 1, valued)?;
            at += label.len() + 1;
        }
        Ok(Self(text.into()))
    }
}

fn check(text: &str, at: usize, allowed: impl Fn(char) -> bool) -> Result<(), InvalidSeries> {
    match text.char_indices().find(|(_, c)| !allowed(*c)) {
        None => Ok(()),
        Some((i, character)) => Err(InvalidSeries::Character { character, at: at + i }),
    }
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesKey({})", self.0)
    }
}

/// One value of a series. Finite: a measure that is not a number is refused where it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    series: SeriesKey,
    at: Timestamp,
    value: f64,
}

/// NaN and the infinities are no measures.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{series} is {value} at {at}, expected a finite number")]
pub struct InvalidSample {
    series: SeriesKey,
    at: Timestamp,
    value: f64,
}

impl Sample {
    /// A sample; its time is cut to the microsecond, which is what stores keep.
    pub fn try_new(series: SeriesKey, at: Timestamp, value: f64) -> Result<Self, InvalidSample> {
        let at = Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
        if value.is_finite() {
            Ok(Self { series, at, value })
        } else {
            Err(InvalidSample { series, at, value })
        }
    }

    /// Its series.
    pub fn series(&self) -> &SeriesKey {
        &self.series
    }

    /// When it was measured.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The value.
    pub fn value(&self) -> f64 {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked_where_they_are_made() {
        for good in ["a", "run.duration_ms{group=hot}", "token.score{mint=So1,component=tx-accel}", "api.p95"]
        {
            assert_eq!(good.parse::<SeriesKey>().map(|key| key.to_string()), Ok(good.to_owned()));
        }
        let parse = str::parse::<SeriesKey>;
        assert_eq!(parse(""), Err(InvalidSeries::Length { got: 0 }));
        assert_eq!(parse(&"a".repeat(513)), Err(InvalidSeries::Length { got: 513 }));
        assert_eq!(parse("run Duration"), Err(InvalidSeries::Character { character: ' ', at: 3 }));
        assert_eq!(parse("a{b=ü}"), Err(InvalidSeries::Character { character: 'ü', at: 4 }));
        assert_eq!(parse("a{b=c,d=e f}"), Err(InvalidSeries::Character { character: ' ', at: 9 }));
        for labels in ["a{", "a{}", "a{b}", "a{b=}", "{b=c}", "a{b=c}d"] {
            assert_eq!(parse(labels), Err(InvalidSeries::Labels), "{labels}");
        }
    }

    #[test]
    fn a_sample_is_finite_and_whole_microseconds() {
        let key: SeriesKey = "a".parse().expect("valid");
        let at = Timestamp::from_nanosecond(1_234_567).expect("in range");
        let sample = Sample::try_new(key.clone(), at, 1.0).expect("finite");
        assert_eq!(sample.at().as_nanosecond(), 1_234_000);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Sample::try_new(key.clone(), at, value).is_err());
        }
    }
}
