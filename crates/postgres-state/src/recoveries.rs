//! The ledger of recoveries, in the same database as the tokens and under the same epochs.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgRow;
use ttm_kernel::{Epoch, FencingToken, StoreError};
use ttm_recovery::{Entry, EntryKey, LEDGER_KEEPS, Record, RecoveryLedger};
use ttm_sqlx_pool::postgres::{Pool, Time, query, store_error};

use crate::fence::{Writer, may_write};

const SELECT: &str = "SELECT epoch, number, began_epoch, began_number, made_at, subject, kind, cause, class, \
     initiator, evidence, step, charged, dependency, outcome, took_us FROM recovery \
     WHERE made_at >= $1 ORDER BY epoch DESC, number DESC LIMIT $2";

const INSERT: &str = "INSERT INTO recovery (epoch, number, began_epoch, began_number, made_at, subject, kind, cause, class, \
     initiator, evidence, step, charged, dependency, outcome, took_us) \
     SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[], $5::timestamptz[], $6::text[], $7::text[], \
     $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bool[], $14::text[], $15::text[], $16::int8[]) \
     ON CONFLICT (epoch, number) DO NOTHING";

/// Keeps the newest entries, so many of them.
const PRUNE: &str = "DELETE FROM recovery WHERE (epoch, number) <= \
     (SELECT epoch, number FROM recovery ORDER BY epoch DESC, number DESC LIMIT 1 OFFSET $1)";

const SET_ASIDE: &str = "INSERT INTO recovery_set_aside (set_aside_at, epoch, number, began_epoch, began_number, made_at, \
     subject, kind, cause, class, initiator, evidence, step, charged, dependency, outcome, took_us) \
     SELECT now(), epoch, number, began_epoch, began_number, made_at, \
     subject, kind, cause, class, initiator, evidence, step, charged, dependency, outcome, took_us FROM recovery";

/// A ledger in the database of a [`PostgresTokenStore`](crate::PostgresTokenStore).
#[derive(Clone, Debug)]
pub struct PostgresRecoveryLedger {
    pub(crate) pool: Pool,
}

impl PostgresRecoveryLedger {
    /// The newest entries, the oldest of them first.
    async fn newest(&self, since: Timestamp, limit: i64) -> Result<Vec<Entry>, sqlx::Error> {
        let mut tx = self.pool.begin_read().await?;
        let rows = query(SELECT).bind(Time::saturating(since)).bind(limit).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        rows.iter().rev().map(entry).collect()
    }

    /// Stores nothing under a fencing token that is not the newest one.
    async fn write(
        &self,
        under: FencingToken,
        entries: &[Entry],
    ) -> Result<Result<(), StoreError>, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Recoveries, under).await? {
            return Ok(Err(refused));
        }
        let records: Vec<Record> = entries.iter().map(Record::from).collect();
        let records = &*records;
        query(INSERT)
            .bind(numbers(records, |record| record.key.epoch.number())?)
            .bind(numbers(records, |record| record.key.number)?)
            .bind(numbers(records, |record| record.recovery.epoch.number())?)
            .bind(numbers(records, |record| record.recovery.number)?)
            .bind(column(records, |record| Time(record.at)))
            .bind(column(records, |record| &*record.subject))
            .bind(column(records, |record| &*record.kind))
            .bind(column(records, |record| record.cause.as_deref()))
            .bind(column(records, |record| record.class.as_deref()))
            .bind(column(records, |record| record.by.as_deref()))
            .bind(column(records, |record| record.evidence.as_deref()))
            .bind(column(records, |record| record.step.as_deref()))
            .bind(column(records, |record| record.charged))
            .bind(column(records, |record| record.dependency.as_deref()))
            .bind(column(records, |record| record.outcome.as_deref()))
            .bind(column(records, |record| record.took.map(whole_micros)))
            .execute(&mut *tx)
            .await?;
        let keep = i64::try_from(LEDGER_KEEPS).unwrap_or(i64::MAX);
        query(PRUNE).bind(keep).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    async fn move_aside(&self, under: FencingToken) -> Result<Result<(), StoreError>, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Recoveries, under).await? {
            return Ok(Err(refused));
        }
        query(SET_ASIDE).execute(&mut *tx).await?;
        query("DELETE FROM recovery").execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }
}

fn column<'a, T>(records: &'a [Record], field: impl Fn(&'a Record) -> T) -> Vec<T> {
    records.iter().map(field).collect()
}

/// Numbers for a column, which holds half of them.
fn numbers(records: &[Record], field: impl Fn(&Record) -> u64) -> Result<Vec<i64>, sqlx::Error> {
    let whole = |number| {
        let refused = |_| sqlx::Error::Encode(format!("{number} is too large for a key").into());
        i64::try_from(number).map_err(refused)
    };
    records.iter().map(|record| whole(field(record))).collect()
}

/// The period, capped at what the column holds, 292 000 years.
fn whole_micros(period: Duration) -> i64 {
    i64::try_from(period.as_micros()).unwrap_or(i64::MAX)
}

/// Reads an entry from a row of [`SELECT`].
fn entry(row: &PgRow) -> Result<Entry, sqlx::Error> {
    let number = |column: usize| {
        let number: i64 = row.try_get(column)?;
        u64::try_from(number)
            .map_err(|_| sqlx::Error::Decode(format!("an entry has the key {number}").into()))
    };
    let key = |column: usize| -> Result<EntryKey, sqlx::Error> {
        Ok(EntryKey { epoch: Epoch::new(number(column)?), number: number(column + 1)? })
    };
    let key_of_entry = key(0)?;
    let took = row.try_get::<Option<i64>, _>(15)?.map(u64::try_from).transpose();
    let record = Record {
        key: key_of_entry,
        recovery: key(2)?,
        at: row.try_get::<Time, _>(4)?.0,
        subject: row.try_get(5)?,
        kind: row.try_get(6)?,
        cause: row.try_get(7)?,
        class: row.try_get(8)?,
        by: row.try_get(9)?,
        evidence: row.try_get(10)?,
        step: row.try_get(11)?,
        charged: row.try_get(12)?,
        dependency: row.try_get(13)?,
        outcome: row.try_get(14)?,
        took: took
            .map_err(|_| {
                sqlx::Error::Decode(format!("the entry {key_of_entry} has a negative duration").into())
            })?
            .map(Duration::from_micros),
    };
    record.entry().map_err(|error| sqlx::Error::Decode(error.into()))
}

/// Refuses entries that no ledger keeps.
fn check(entries: &[Entry]) -> Result<(), StoreError> {
    entries.iter().try_for_each(Entry::check).map_err(|error| StoreError::rejected(error.to_string()))
}

#[async_trait]
impl RecoveryLedger for PostgresRecoveryLedger {
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
