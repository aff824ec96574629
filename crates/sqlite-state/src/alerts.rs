//! The store of alerts, in the same file as the tokens and under the same epochs.

mod rows;
mod statements;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use ttm_alert::{
    AlertStore, Commit, DEAD_LETTERS_KEPT, DeadLetter, Loaded, RECEIPTS_KEPT, Receipt, readable,
};
use ttm_kernel::{FencingToken, StoreError};
use ttm_sqlx_pool::sqlite::{File, store_error};

use crate::fence::{Writer, may_write};

/// A store of alerts in the file of a [`SqliteTokenStore`](crate::SqliteTokenStore).
#[derive(Clone, Debug)]
pub struct SqliteAlertStore {
    pub(crate) file: File,
}

impl SqliteAlertStore {
    /// Everything as of one moment.
    async fn all(&self) -> Result<Loaded, sqlx::Error> {
        let mut tx = self.file.readers().begin().await?;
        let records = sqlx::query(rows::RECORDS).fetch_all(&mut *tx).await?;
        let messages = sqlx::query(rows::MESSAGES).fetch_all(&mut *tx).await?;
        let quiets = sqlx::query(rows::QUIETS).fetch_all(&mut *tx).await?;
        let receipts = sqlx::query(rows::RECEIPTS).bind(count(RECEIPTS_KEPT)).fetch_all(&mut *tx).await?;
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
        read: fn(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, sqlx::Error> {
        let rows = sqlx::query(select).bind(count(limit)).fetch_all(self.file.readers()).await?;
        rows.iter().rev().map(read).collect()
    }

    /// Stores nothing under a fencing token that is not the newest one. What a commit has of one key twice counts as it
    /// comes.
    async fn write(
        &self,
        under: FencingToken,
        commit: &Commit,
    ) -> Result<Result<(), StoreError>, sqlx::Error> {
        let mut tx = self.file.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Alerts, under).await? {
            return Ok(Err(refused));
        }
        for record in &commit.records {
            statements::record(record)?.execute(&mut *tx).await?;
        }
        for key in &commit.forgotten {
            statements::forgotten(key).execute(&mut *tx).await?;
        }
        for row in &commit.rows {
            statements::message(row)?.execute(&mut *tx).await?;
        }
        for key in commit.settled.iter().chain(commit.dead.iter().map(|letter| &letter.row.key)) {
            statements::settled(key)?.execute(&mut *tx).await?;
        }
        for letter in statements::newest(&commit.dead, DEAD_LETTERS_KEPT, |letter| &letter.row.key) {
            statements::dead_letter(letter)?.execute(&mut *tx).await?;
        }
        if !commit.dead.is_empty() {
            let prune = sqlx::query(statements::PRUNE_DEAD_LETTERS).bind(count(DEAD_LETTERS_KEPT));
            prune.execute(&mut *tx).await?;
        }
        for receipt in statements::newest(&commit.receipts, RECEIPTS_KEPT, |it| (&it.key, it.attempt)) {
            statements::receipt(receipt)?.execute(&mut *tx).await?;
        }
        if !commit.receipts.is_empty() {
            let prune = sqlx::query(statements::PRUNE_RECEIPTS).bind(count(RECEIPTS_KEPT));
            prune.execute(&mut *tx).await?;
        }
        for (id, quiet) in &commit.quiets {
            statements::quiet(*id, quiet)?.execute(&mut *tx).await?;
        }
        for id in &commit.ended_quiets {
            statements::ended_quiet(*id)?.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(Ok(()))
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[async_trait]
impl AlertStore for SqliteAlertStore {
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
