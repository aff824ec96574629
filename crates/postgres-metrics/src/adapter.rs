//! The metric store: pools and transactions. Retrying is up to the caller.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use ttm_kernel::{Connections, StoreError};
use ttm_perf::{Appended, MetricStore, Point, RangeQuery, Sample, SeriesKey};
use ttm_sqlx_pool::postgres::{Pool, Server, store_error};

use crate::schema::SCHEMA;
use crate::{OpenError, PostgresEventStore, statement};

/// One batch in flight and one that waits for the server.
const WRITERS: u32 = 2;

/// Queries of the history that run at the same time.
const READERS: u32 = 4;

/// A metric store in a PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresMetricStore {
    writers: Pool,
    readers: Pool,
}

impl PostgresMetricStore {
    /// Connects to the server at this URL and migrates the schema.
    ///
    /// The URL is in libpq's format, as in `postgres://user:password@host:5432/database?sslmode=require`; the password may
    /// also come from the standard password file. A remote server's certificate is verified unless the URL sets `sslmode`.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let server = Server::parse(url)?;
        server.migrate(&SCHEMA).await?;
        Ok(Self { writers: server.pool(WRITERS), readers: server.pool(READERS) })
    }

    /// Reads by the server at this URL, with the rights of its user and in sessions of its own: nothing that is read then keeps a
    /// batch waiting, and nothing is read as the user that writes. It does not connect.
    ///
    /// # Errors
    /// If the URL cannot be parsed.
    pub fn read_by(self, url: &str) -> Result<Self, OpenError> {
        Ok(Self { readers: Server::parse(url)?.pool(READERS), ..self })
    }

    /// Whether everything that queries ask for can be read.
    ///
    /// # Errors
    /// Why not: the server is away, refuses the login, or its user may not read a table.
    pub async fn check_reader(&self) -> Result<(), StoreError> {
        statement::look(&self.readers).await.map_err(store_error)
    }

    /// The event store in the same database, over the same connections.
    pub fn events(&self) -> PostgresEventStore {
        PostgresEventStore { writers: self.writers.clone(), readers: self.readers.clone() }
    }

    /// Stores a batch in one transaction.
    async fn store(&self, samples: &[Sample]) -> Result<u64, sqlx::Error> {
        let mut tx = self.writers.begin().await?;
        let keys: BTreeSet<&str> = samples.iter().map(|sample| sample.series().as_str()).collect();
        let ids = statement::series_ids(&mut tx, &keys).await?;
        let mut rows: BTreeMap<statement::Identity, f64> = BTreeMap::new();
        for sample in samples {
            let id = ids.get(sample.series().as_str()).ok_or(sqlx::Error::RowNotFound)?;
            rows.entry((*id, sample.at())).or_insert(sample.value());
        }
        let stored = statement::insert(&mut tx, rows).await?;
        tx.commit().await?;
        Ok(stored)
    }
}

#[async_trait]
impl MetricStore for PostgresMetricStore {
    async fn append(&self, samples: &[Sample]) -> Result<Appended, StoreError> {
        let stored = self.store(samples).await.map_err(store_error)?;
        Ok(Appended { stored, duplicates: samples.len() as u64 - stored })
    }

    async fn range(&self, query: &RangeQuery) -> Result<Vec<Point>, StoreError> {
        statement::range(&self.readers, query).await.map_err(store_error)
    }

    async fn series(
        &self,
        prefix: &str,
        after: Option<SeriesKey>,
        limit: usize,
    ) -> Result<Vec<SeriesKey>, StoreError> {
        statement::keys(&self.readers, prefix, after.as_ref(), limit).await.map_err(store_error)
    }

    async fn close(&self) {
        self.writers.close().await;
        self.readers.close().await;
    }

    fn connections(&self) -> Option<Connections> {
        Some(Pool::connections(&[&self.writers, &self.readers]))
    }
}
