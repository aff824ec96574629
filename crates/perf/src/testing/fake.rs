//! A history in memory that obeys every law of the port, and can be told to fail.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use ttm_kernel::StoreError;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Appended, Fold, MetricStore, Point, RangeQuery, Sample, SeriesKey};

/// Keeps samples in memory. Clones share it, so that a clone acts as the reopened store.
#[derive(Clone, Debug, Default)]
pub struct FakeMetricStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    series: BTreeMap<SeriesKey, BTreeMap<Timestamp, f64>>,
    failure: Option<Box<dyn Fn() -> StoreError + Send>>,
}

impl FakeMetricStore {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every call fail with what `error` gives, until [`heal`](Self::heal).
    pub fn fail_with(&self, error: impl Fn() -> StoreError + Send + 'static) {
        self.lock().failure = Some(Box::new(error));
    }

    /// Lets calls work again; what was stored before is still there.
    pub fn heal(&self) {
        self.lock().failure = None;
    }

    /// Every sample, by series and time.
    pub fn samples(&self) -> Vec<Sample> {
        let inner = self.lock();
        let samples = inner.series.iter().flat_map(|(key, values)| {
            values.iter().map(|(at, value)| Sample::try_new(key.clone(), *at, *value))
        });
        samples.map(|sample| sample.expect("only samples are stored")).collect()
    }

    /// The samples of one series, by time.
    pub fn samples_of(&self, series: &SeriesKey) -> Vec<(Timestamp, f64)> {
        self.lock().series.get(series).into_iter().flatten().map(|(at, value)| (*at, *value)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.lock();
        match &inner.failure {
            Some(error) => Err(error()),
            None => Ok(inner),
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("series", &self.series).field("fails", &self.failure.is_some()).finish()
    }
}

#[async_trait]
impl MetricStore for FakeMetricStore {
    async fn append(&self, samples: &[Sample]) -> Result<Appended, StoreError> {
        let mut inner = self.working()?;
        let mut appended = Appended::default();
        for sample in samples {
            let values = inner.series.entry(sample.series().clone()).or_default();
            match values.entry(sample.at()) {
                Entry::Occupied(_) => appended.duplicates += 1,
                Entry::Vacant(free) => {
                    free.insert(sample.value());
                    appended.stored += 1;
                }
            }
        }
        Ok(appended)
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, StoreError> {
        let inner = self.working()?;
        let mut fold = Fold::new(query);
        for (at, value) in inner.series.get(query.series()).into_iter().flatten() {
            fold.push(*at, *value);
        }
        Ok(fold.finish())
    }

    async fn series(
        &self,
        prefix: &str,
        after: Option<SeriesKey>,
        limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError> {
        let inner = self.working()?;
        let wanted = |key: &&SeriesKey| key.as_str().starts_with(prefix) && Some(*key) > after.as_ref();
        Ok(inner.series.keys().filter(wanted).take(limit).cloned().collect())
    }
}
