//! How a history with one fault answers.

use jiff::{SignedDuration, Timestamp};
use ttm_kernel::StoreError;
use ttm_perf::testing::FakeMetricStore;
use ttm_perf::{Aggregate, Fold, MetricStore, Point, RangeQuery, SeriesKey};

use super::metrics::{Broken, Bug};
use super::{block_on, is_like};

fn every_key(memory: &FakeMetricStore) -> Vec<SeriesKey> {
    block_on(memory.series("", None, usize::MAX)).expect("the fake works")
}

fn merged(memory: &FakeMetricStore, wanted: impl Fn(&str) -> bool) -> Vec<(Timestamp, f64)> {
    let keys = every_key(memory);
    let wanted = keys.iter().filter(|key| wanted(key.as_str()));
    let mut rows: Vec<(Timestamp, f64)> = wanted.flat_map(|key| memory.samples_of(key)).collect();
    rows.sort_by_key(|(at, _)| *at);
    rows
}

fn collated(key: &SeriesKey) -> (String, SeriesKey) {
    let letters = key.as_str().chars().filter(char::is_ascii_alphanumeric);
    (letters.collect::<String>().to_lowercase(), key.clone())
}

impl Broken {
    /// What it answers.
    pub(super) fn points(&self, query: &RangeQuery) -> Result<Vec<Point>, StoreError> {
        let memory = self.disk.memory();
        let series = self.key(query.series());
        let micro = SignedDuration::from_micros(1);
        let cut = |at: Timestamp| Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
        let (mut from, mut to) = (query.from(), query.to());
        match self.bug {
            Bug::LeavesOutTheBegin => from = from.saturating_add(micro).expect("a period"),
            Bug::HoldsTheEnd => to = to.saturating_add(micro).expect("a period"),
            Bug::CutsTheEnd => to = cut(to),
            Bug::CutsTheBegin if from > Timestamp::UNIX_EPOCH => from = cut(from),
            Bug::RoundsANegativeBeginUp if from < Timestamp::UNIX_EPOCH && cut(from) != from => {
                from = cut(from).saturating_add(micro).expect("a period");
            }
            _ => {}
        }
        if from >= to {
            return Ok(Vec::new());
        }
        let asked = RangeQuery::try_new(series.clone(), from, to, query.step(), query.aggregate())
            .expect("as many points, or one more");
        let own = series.as_str();
        let mut rows = match self.bug {
            Bug::AnswersForLongerNames => merged(&memory, |key| key.starts_with(own)),
            Bug::AnswersForWhatEndsSo => merged(&memory, |key| key.ends_with(own)),
            Bug::TakesUnderscoresForAnything => merged(&memory, |key| is_like(key, own, '_')),
            _ => memory.samples_of(&series),
        };
        let is_known = !rows.is_empty();
        rows.retain(|(at, _)| (from..to).contains(at));
        match self.bug {
            Bug::ReadsAThousandRows => rows.truncate(1_000),
            Bug::FailsForAnUnknownSeries if !is_known => {
                return Err(StoreError::rejected("no such series"));
            }
            Bug::RemembersWhatIsAskedFor | Bug::RemembersThatThereWasNothing if !is_known => {
                self.asked.lock().expect("nothing panics with it").insert(series.clone());
            }
            Bug::RemembersThatThereWasNothing
                if self.asked.lock().expect("nothing panics with it").contains(&series) =>
            {
                rows.clear();
            }
            _ => {}
        }
        let mut fold = Fold::new(&asked);
        for (at, value) in &rows {
            fold.push(*at, *value);
        }
        let mut points = fold.finish();
        let step = SignedDuration::try_from(query.step()).expect("it fits");
        match self.bug {
            Bug::BeginsBucketsWithTheQuestion => {
                for point in &mut points {
                    point.at = point.at.max(from);
                }
            }
            Bug::CutsBucketsTowardsZero => {
                let negative = points.iter_mut().filter(|point| point.at < Timestamp::UNIX_EPOCH);
                negative.for_each(|point| point.at = point.at.saturating_add(step).expect("a period"));
            }
            Bug::FillsGaps => {
                let mut full: Vec<Point> = Vec::new();
                for point in points {
                    let after = |last: &Point| last.at.saturating_add(step).expect("a period");
                    let gap = full.last().map(after).filter(|after| *after < point.at);
                    full.extend(gap.map(|at| Point { at, value: 0.0, count: 0 }));
                    full.push(point);
                }
                points = full;
            }
            Bug::AnswersBackwards => points.reverse(),
            Bug::InterpolatesPercentiles if query.aggregate() == Aggregate::P50 => {
                points.iter_mut().filter(|point| point.count == 2).for_each(|point| point.value *= 0.5);
            }
            _ => {}
        }
        Ok(points)
    }

    /// What it lists.
    pub(super) fn keys(&self, prefix: &str, after: Option<&SeriesKey>, limit: usize) -> Vec<SeriesKey> {
        let mut keys = every_key(&self.disk.memory());
        if self.bug == Bug::RemembersWhatIsAskedFor {
            keys.extend(self.asked.lock().expect("nothing panics with it").iter().cloned());
        }
        let begins = |key: &str| match self.bug {
            Bug::ListsWhatContainsThePrefix => key.contains(prefix),
            Bug::ListsWithoutCase => key.to_lowercase().starts_with(&prefix.to_lowercase()),
            Bug::TakesPercentForAnything => key.starts_with(prefix.trim_end_matches('%')),
            Bug::TakesStarsForAnything => key.starts_with(prefix.trim_end_matches('*')),
            Bug::TakesUnderscoresForAnythingInListings => {
                key.get(..prefix.len()).is_some_and(|begin| is_like(begin, prefix, '_'))
            }
            Bug::IgnoresThePrefix => true,
            Bug::ForgetsThePrefixAfterTheCursor => after.is_some() || key.starts_with(prefix),
            _ => key.starts_with(prefix),
        };
        keys.retain(|key| begins(key.as_str()));
        if self.bug == Bug::ListsByCollation {
            keys.sort_by_key(collated);
        }
        if self.bug == Bug::ListsUnlabelledSeriesAlone {
            keys.retain(|key| !key.as_str().contains('{'));
        }
        if self.bug == Bug::ListsSeriesTwice {
            keys = keys.iter().flat_map(|key| [key.clone(), key.clone()]).collect();
        }
        if let Some(after) = after {
            match self.bug {
                Bug::IgnoresTheCursor => {}
                Bug::ListsTheCursorAgain => keys.retain(|key| key >= after),
                Bug::EndsAtAnUnknownCursor if !keys.contains(after) => keys.clear(),
                Bug::FindsTheCursorByCollation => keys.retain(|key| collated(key) > collated(after)),
                _ => keys.retain(|key| key > after),
            }
        }
        match self.bug {
            Bug::IgnoresTheLimit => {}
            Bug::ListsOneMore => keys.truncate(limit.saturating_add(1)),
            Bug::TakesNoLimitForAny if limit == 0 => {}
            _ => keys.truncate(limit),
        }
        keys
    }
}
