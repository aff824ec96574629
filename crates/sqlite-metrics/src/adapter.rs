//! The metric store: pools and transactions. Retrying is up to the caller.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use ttm_kernel::{Connections, StoreError};
use ttm_perf::{Appended, MetricStore, Point, RangeQuery, Sample, SeriesKey};
use ttm_sqlx_pool::sqlite::File;
use ttm_sqlx_pool::sqlite::store_error;

use crate::schema::SCHEMA;
use crate::{OpenError, SqliteEventStore, statement};

/// Queries of the history that run at the same time.
const READERS: u32 = 4;

/// A metric store in an SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteMetricStore {
    file: File,
}

impl SqliteMetricStore {
    /// Opens the file, creates it if there is none, and migrates its schema. The folder must exist.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { file: File::open(path.as_ref(), &SCHEMA, READERS).await? })
    }

    /// The event store in the same file, over the same connections.
    pub fn events(&self) -> SqliteEventStore {
        SqliteEventStore { file: self.file.clone() }
    }

    /// Stores a batch in one transaction.
    async fn store(&self, samples: &[Sample]) -> Result<u64, sqlx::Error> {
        let mut tx = self.file.begin().await?;
        let mut ids: BTreeMap<&SeriesKey, i64> = BTreeMap::new();
        let mut rows: BTreeMap<statement::Identity, f64> = BTreeMap::new();
        for sample in samples {
            let id = match ids.get(sample.series()) {
                Some(id) => *id,
                None => statement::series_id(&mut tx, sample.series()).await?,
            };
            ids.insert(sample.series(), id);
            rows.entry((id, sample.at().as_microsecond())).or_insert(sample.value());
        }
        let stored = statement::insert(&mut tx, rows).await?;
        tx.commit().await?;
        Ok(stored)
    }
}

#[async_trait]
impl MetricStore for SqliteMetricStore {
    async fn append(&self, samples: &[Sample]) -> Result<Appended, StoreError> {
        let stored = self.store(samples).await.map_err(store_error)?;
        Ok(Appended { stored, duplicates: samples.len() as u64 - stored })
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, StoreError> {
        statement::range(self.file.readers(), query).await.map_err(store_error)
    }

    async fn series(
        &self,
        prefix: &str,
        after: Option<SeriesKey>,
        limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError> {
        statement::keys(self.file.readers(), prefix, after.as_ref(), limit).await.map_err(store_error)
    }

    async fn close(&self) {
        self.file.close().await;
    }

    fn connections(&self) -> Option<Connections> {
        Some(self.file.connections())
    }
}
