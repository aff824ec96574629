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

    /// The key without its labels.
    pub fn name(&self) -> &str {
        self.0.split_once('{').map_or(&*self.0, |(name, _)| name)
    }

    /// Its labels and their values, as they are written.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.0.split_once('{').and_then(|(_, rest)| rest.strip_suffix('}'));
        labels.into_iter().flat_map(|labels| labels.split(',')).filter_map(|label| label.split_once('='))
    }

    /// The key with one label more, and all of them in alphabetical order.
    ///
    /// # Errors
    /// A label or a value that no key has, or a key that would be too long.
    pub fn with_label(&self, label: &str, value: &str) -> Result<Self, InvalidSeries> {
        let mut labels: Vec<(&str, &str)> = self.labels().chain([(label, value)]).collect();
        labels.sort_unstable();
        written(self.name(), labels).parse()
    }

    /// The key without this label.
    #[must_use]
    pub fn without_label(&self, label: &str) -> Self {
        Self(written(self.name(), self.labels().filter(|(name, _)| *name != label)).into())
    }
}

fn written<'a>(name: &str, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let labels: Vec<String> = labels.into_iter().map(|(label, value)| format!("{label}={value}")).collect();
    if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) }
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
    fn a_key_is_its_name_and_its_labels_and_takes_another_one_in_its_place() {
        let bare: SeriesKey = "run.duration_ms".parse().expect("valid");
        assert_eq!((bare.name(), bare.labels().count()), ("run.duration_ms", 0));
        let one = bare.with_label("instance", "fra1").expect("valid");
        assert_eq!(one.as_str(), "run.duration_ms{instance=fra1}");
        let two = one.with_label("group", "hot").expect("valid");
        assert_eq!(two.as_str(), "run.duration_ms{group=hot,instance=fra1}");
        assert_eq!(two.name(), "run.duration_ms");
        assert_eq!(two.labels().collect::<Vec<_>>(), [("group", "hot"), ("instance", "fra1")]);
        assert_eq!((two.without_label("group"), one.without_label("instance")), (one.clone(), bare.clone()));
        assert_eq!(two.without_label("part"), two);
        assert!(bare.with_label("a", "b c").is_err() && bare.with_label("", "b").is_err());
        assert_eq!(bare.with_label("a", &"b".repeat(500)), Err(InvalidSeries::Length { got: 519 }));
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
