//! The ledger of recoveries, in the same file as the tokens and under the same epochs.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use ttm_kernel::{Epoch, FencingToken, StoreError};
use ttm_recovery::{Entry, EntryKey, LEDGER_KEEPS, Record, RecoveryLedger};
use ttm_sqlx_pool::sqlite::store_error;
use ttm_sqlx_pool::sqlite::{File, time};

use crate::fence::{Writer, may_write};

const SELECT: &str = "SELECT epoch, number, began_epoch, began_number, made_at, subject, kind, cause, class, \
     initiator, evidence, step, charged, dependency, outcome, took_us FROM recovery \
     WHERE made_at >= ?1 ORDER BY epoch DESC, number DESC LIMIT ?2";

const INSERT: &str = "INSERT INTO recovery (epoch, number, began_epoch, began_number, made_at, subject, kind, cause, class, \
     initiator, evidence, step, charged, dependency, outcome, took_us) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT (epoch, number) DO NOTHING";

/// Keeps the newest entries, so many of them.
const PRUNE: &str = "DELETE FROM recovery WHERE (epoch, number) <= \
     (SELECT epoch, number FROM recovery ORDER BY epoch DESC, number DESC LIMIT 1 OFFSET ?1)";

const SET_ASIDE: &str = "INSERT INTO recovery_set_aside (set_aside_at, epoch, number, began_epoch, began_number, made_at, \
     subject, kind, cause, class, initiator, evidence, step, charged, dependency, outcome, took_us) \
     SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER), epoch, number, began_epoch, began_number, made_at, \
     subject, kind, cause, class, initiator, evidence, step, charged, dependency, outcome, took_us FROM recovery";

/// A ledger in the file of a [`SqliteTokenStore`](crate::SqliteTokenStore).
#[derive(Clone, Debug)]
pub struct SqliteRecoveryLedger {
    pub(crate) file: File,
}

impl SqliteRecoveryLedger {
    /// The newest entries, the oldest of them first.
    async fn newest(&self, since: Timestamp, limit: i64) -> Result<Vec<Entry>, sqlx::Error> {
        let rows = sqlx::query(SELECT)
            .bind(since.as_microsecond())
            .bind(limit)
            .fetch_all(self.file.readers())
            .await?;
        rows.iter().rev().map(entry).collect()
    }

    /// Stores nothing under a fencing token that is not the newest one.
    async fn write(
        &self,
        under: FencingToken,
        entries: &[Entry],
    ) -> Result<Result<(), StoreError>, sqlx::Error> {
        let mut tx = self.file.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Recoveries, under).await? {
            return Ok(Err(refused));
        }
        for entry in entries {
            let record = Record::from(entry);
            sqlx::query(INSERT)
                .bind(whole(record.key.epoch.number())?)
                .bind(whole(record.key.number)?)
                .bind(whole(record.recovery.epoch.number())?)
                .bind(whole(record.recovery.number)?)
                .bind(record.at.as_microsecond())
                .bind(record.subject)
                .bind(record.kind)
                .bind(record.cause)
                .bind(record.class)
                .bind(record.by)
                .bind(record.evidence)
                .bind(record.step)
                .bind(record.charged)
                .bind(record.dependency)
                .bind(record.outcome)
                .bind(record.took.map(whole_micros))
                .execute(&mut *tx)
                .await?;
        }
        let keep = i64::try_from(LEDGER_KEEPS).unwrap_or(i64::MAX);
        sqlx::query(PRUNE).bind(keep).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    async fn move_aside(&self, under: FencingToken) -> Result<Result<(), StoreError>, sqlx::Error> {
        let mut tx = self.file.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Recoveries, under).await? {
            return Ok(Err(refused));
        }
        sqlx::query(SET_ASIDE).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM recovery").execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }
}

/// A number for a column, which holds half of them.
fn whole(number: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(number).map_err(|_| sqlx::Error::Encode(format!("{number} is too large for a key").into()))
}

/// The period, capped at what the column holds, 292 000 years.
fn whole_micros(period: Duration) -> i64 {
    i64::try_from(period.as_micros()).unwrap_or(i64::MAX)
}

/// Reads an entry from a row of [`SELECT`].
fn entry(row: &SqliteRow) -> Result<Entry, sqlx::Error> {
    let number = |column: usize| {
        let number: i64 = row.try_get(column)?;
        u64::try_from(number)
            .map_err(|_| sqlx::Error::Decode(format!("an entry has the key {number}").into()))
    };
    let key = |column: usize| -> Result<EntryKey, sqlx::Error> {
        Ok(EntryKey { epoch: Epoch::new(number(column)?), number: number(column + 1)? })
    };
    let key_of_entry = key(0)?;
    let broken = |what: String| sqlx::Error::Decode(format!("the entry {key_of_entry} has {what}").into());
    let charged = match row.try_get::<Option<i64>, _>(12)? {
        None => None,
        Some(0) => Some(false),
        Some(1) => Some(true),
        Some(other) => return Err(broken(format!("the unknown charge {other}"))),
    };
    let took = row.try_get::<Option<i64>, _>(15)?.map(u64::try_from).transpose();
    let record = Record {
        key: key_of_entry,
        recovery: key(2)?,
        at: time(row.try_get(4)?)?,
        subject: row.try_get(5)?,
        kind: row.try_get(6)?,
        cause: row.try_get(7)?,
        class: row.try_get(8)?,
        by: row.try_get(9)?,
        evidence: row.try_get(10)?,
        step: row.try_get(11)?,
        charged,
        dependency: row.try_get(13)?,
        outcome: row.try_get(14)?,
        took: took.map_err(|_| broken("a negative duration".to_owned()))?.map(Duration::from_micros),
    };
    record.entry().map_err(|error| sqlx::Error::Decode(error.into()))
}

/// Refuses entries that no ledger keeps.
fn check(entries: &[Entry]) -> Result<(), StoreError> {
    entries.iter().try_for_each(Entry::check).map_err(|error| StoreError::rejected(error.to_string()))
}

#[async_trait]
impl RecoveryLedger for SqliteRecoveryLedger {
    async fn load(&self, since: Timestamp, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.newest(since, i64::try_from(limit).unwrap_or(i64::MAX)).await.map_err(store_error)
    }

    async fn append(&self, under: FencingToken, entries: &[Entry]) -> Result<(), StoreError> {
        check(entries)?;
        self.write(under, entries).await.map_err(store_error)?
    }

    async fn set_aside(&self, under: FencingToken) -> Result<(), StoreError> {
        self.move_aside(under).await.map_err(store_error)?
    }
}
