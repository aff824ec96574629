//! The store of alerts, in the same database as the tokens and under the same epochs.

mod rows;
mod statements;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use ttm_alert::{AlertStore, Commit, DeadLetter, Loaded, RECEIPTS_KEPT, Receipt, readable};
use ttm_kernel::{FencingToken, StoreError};
use ttm_sqlx_pool::postgres::{Pool, query, store_error};

use crate::fence::{Writer, may_write};

/// A store of alerts in the database of a [`PostgresTokenStore`](crate::PostgresTokenStore).
#[derive(Clone, Debug)]
pub struct PostgresAlertStore {
    pub(crate) pool: Pool,
}

impl PostgresAlertStore {
    /// Everything as of one moment.
    async fn all(&self) -> Result<Loaded, sqlx::Error> {
        let mut tx = self.pool.begin_read().await?;
        query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *tx).await?;
        let records = query(rows::RECORDS).fetch_all(&mut *tx).await?;
        let messages = query(rows::MESSAGES).fetch_all(&mut *tx).await?;
        let quiets = query(rows::QUIETS).fetch_all(&mut *tx).await?;
        let receipts = query(rows::RECEIPTS).bind(count(RECEIPTS_KEPT)).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        let mut unreadable = Vec::new();
        let loaded = Loaded {
            records: readable(records.iter().map(rows::record), store_error, &mut unreadable),
            rows: readable(messages.iter().map(rows::message), store_error, &mut unreadable),
            quiets: readable(quiets.iter().map(rows::quiet), store_error, &mut unreadable),
            receipts: readable(receipts.iter().rev().map(rows::receipt), store_error, &mut unreadable),
            ..Loaded::default()
        };
        Ok(Loaded { unreadable, ..loaded })
    }

    /// The newest rows, the oldest of them first.
    async fn newest<T>(
        &self,
        select: &'static str,
        limit: usize,
        read: fn(&PgRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, sqlx::Error> {
        let mut tx = self.pool.begin_read().await?;
        let rows = query(select).bind(count(limit)).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        rows.iter().rev().map(read).collect()
    }

    /// Stores nothing under a fencing token that is not the newest one.
    async fn write(
        &self,
        under: FencingToken,
        commit: &Commit,
    ) -> Result<Result<(), StoreError>, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Alerts, under).await? {
            return Ok(Err(refused));
        }
        statements::records(&mut tx, commit).await?;
        statements::messages(&mut tx, commit).await?;
        statements::dead_letters(&mut tx, &commit.dead).await?;
        statements::receipts(&mut tx, &commit.receipts).await?;
        statements::quiets(&mut tx, commit).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[async_trait]
impl AlertStore for PostgresAlertStore {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.all().await.map_err(store_error)
    }

    async fn commit(&self, under: FencingToken, commit: &Commit) -> Result<(), StoreError> {
        self.write(under, commit).await.map_err(store_error)?
    }

    async fn receipts(&self, limit: usize) -> Result<Vec<Receipt>, StoreError> {
        self.newest(rows::RECEIPTS, limit, rows::receipt).await.map_err(store_error)
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.newest(rows::DEAD_LETTERS, limit, rows::dead_letter).await.map_err(store_error)
    }
}
