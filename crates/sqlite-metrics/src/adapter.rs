//! The store itself: pools and transactions. It does not know when to try again.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use ttm_perf::{Appended, MetricStore, MetricStoreError, Point, RangeQuery, Sample, SeriesKey};

use crate::error::port_error;
use crate::{OpenError, schema, statement};

/// How long a statement waits for another process's lock, and a call for a free connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Questions to the history that are answered at the same time.
const READERS: u32 = 4;

/// The history of metrics in a file of SQLite.
#[derive(Clone, Debug)]
pub struct SqliteMetricStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteMetricStore {
    /// Opens the file, makes it when there is none, and brings its schema up to date. The folder must be there.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        Self::connect(path).await.map_err(|error| OpenError::new(path, &error))
    }

    async fn connect(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE).foreign_keys(false);
        let writer = options.clone().create_if_missing(true).synchronous(SqliteSynchronous::Full);
        let pool = || SqlitePoolOptions::new().acquire_timeout(PATIENCE);
        let writer = pool().max_connections(1).connect_with(writer).await?;
        schema::use_write_ahead_log(&writer).await?;
        schema::migrate(&writer).await?;
        let readers = pool().max_connections(READERS).connect_lazy_with(options.read_only(true));
        Ok(Self { writer, readers })
    }

    /// Stores a batch in one transaction, which is a writer from its start: one that became a writer later could be
    /// refused half way.
    async fn store(&self, samples: &[Sample]) -> Result<u64, sqlx::Error> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
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
    async fn append(&self, samples: &[Sample]) -> Result<Appended, MetricStoreError> {
        let stored = self.store(samples).await.map_err(port_error)?;
        Ok(Appended { stored, duplicates: samples.len() as u64 - stored })
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, MetricStoreError> {
        statement::range(&self.readers, query).await.map_err(port_error)
    }

    async fn series(&self, prefix: &str, limit: usize) -> Result<Vec<SeriesKey>, MetricStoreError> {
        statement::keys(&self.readers, prefix, limit).await.map_err(port_error)
    }

    fn connections(&self) -> Option<(u32, u32)> {
        let pools = [&self.writer, &self.readers];
        let idle = |pool: &SqlitePool| u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        let in_use = pools.iter().map(|pool| pool.size().saturating_sub(idle(pool))).sum();
        Some((in_use, pools.iter().map(|pool| pool.options().get_max_connections()).sum()))
    }
}
