//! The durable samples in a compact form, because a day has millions. Samples arrive in the same order of series
//! round after round, so each series remembers its successor, and most insertions need no search.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ttm_perf::{Sample, SeriesKey};

/// Samples by series and time.
#[derive(Debug, Default)]
pub(super) struct SeriesLog {
    places: BTreeMap<SeriesKey, usize>,
    series: Vec<Series>,
    /// The series of the last insertion.
    last: usize,
}

#[derive(Debug)]
struct Series {
    key: SeriesKey,
    /// Microseconds and values, ascending by time.
    samples: Vec<(i64, f64)>,
    /// The series that followed this one last time; checked first, which usually avoids the search by name.
    next: usize,
}

/// The result of one insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    New,
    /// The same sample was stored already.
    Again,
    /// Another value of the same series and time was stored already, and is kept.
    Collided,
}

impl SeriesLog {
    pub(super) fn insert(&mut self, sample: &Sample) -> Inserted {
        let series = self.place_of(sample.series());
        let samples = &mut self.series[series].samples;
        let (at, value) = (sample.at().as_microsecond(), sample.value());
        if samples.last().is_none_or(|(last, _)| *last < at) {
            samples.push((at, value));
            return Inserted::New;
        }
        match samples.binary_search_by_key(&at, |(time, _)| *time) {
            Ok(found) if samples[found].1.to_bits() == value.to_bits() => Inserted::Again,
            Ok(_) => Inserted::Collided,
            Err(place) => {
                samples.insert(place, (at, value));
                Inserted::New
            }
        }
    }

    /// The samples of a series from `from` (inclusive) to `to` (exclusive), ascending.
    pub(super) fn range(
        &self,
        series: &SeriesKey,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, f64)> {
        let samples = self.places.get(series).map_or(&[][..], |place| &self.series[*place].samples);
        let samples = samples.iter().map(|(micros, value)| {
            let at = Timestamp::from_microsecond(*micros).expect("a sample's time was a timestamp");
            (at, *value)
        });
        samples.skip_while(move |(at, _)| *at < from).take_while(move |(at, _)| *at < to)
    }

    /// The keys that start with `prefix`, ascending.
    pub(super) fn keys<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a SeriesKey> {
        self.places.keys().filter(move |key| key.as_str().starts_with(prefix))
    }

    fn place_of(&mut self, key: &SeriesKey) -> usize {
        let guess = self.series.get(self.last).map_or(0, |last| last.next);
        let place = match self.series.get(guess) {
            Some(series) if series.key == *key => guess,
            _ => self.find_or_add(key),
        };
        if let Some(last) = self.series.get_mut(self.last) {
            last.next = place;
        }
        self.last = place;
        place
    }

    fn find_or_add(&mut self, key: &SeriesKey) -> usize {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let place = self.series.len();
        self.places.insert(key.clone(), place);
        self.series.push(Series { key: key.clone(), samples: Vec::new(), next: 0 });
        place
    }
}
