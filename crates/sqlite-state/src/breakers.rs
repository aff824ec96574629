//! The breakers beside the tokens: the same file, the same epoch. It does not know what a state means.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use ttm_breaker::{BreakerStore, Saved, State, StoredBreaker};
use ttm_kernel::{Epoch, StoreError};
use ttm_sqlx_pool::sqlite::store_error;
use ttm_sqlx_pool::sqlite::{File, time};

use crate::fence::may_write;

const SELECT: &str =
    "SELECT name, state, open_for_us, failed_recoveries, saved_at FROM breaker ORDER BY name";

const UPSERT: &str = "INSERT INTO breaker (name, state, open_for_us, failed_recoveries, saved_at) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name) DO UPDATE SET state = excluded.state, \
     open_for_us = excluded.open_for_us, failed_recoveries = excluded.failed_recoveries, saved_at = excluded.saved_at";

/// The breakers in the file of a [`SqliteTokenStore`](crate::SqliteTokenStore).
#[derive(Clone, Debug)]
pub struct SqliteBreakerStore {
    pub(crate) file: File,
}

impl SqliteBreakerStore {
    async fn all(&self) -> Result<Vec<StoredBreaker>, sqlx::Error> {
        let rows = sqlx::query(SELECT).fetch_all(self.file.readers()).await?;
        rows.iter().map(breaker).collect()
    }

    /// Whether the epoch was still the writer's; nothing is stored otherwise.
    async fn write(&self, epoch: Epoch, breakers: &[StoredBreaker]) -> Result<bool, sqlx::Error> {
        let mut tx = self.file.begin().await?;
        if !may_write(&mut tx, epoch).await? {
            return Ok(false);
        }
        for breaker in breakers {
            sqlx::query(UPSERT)
                .bind(&breaker.name)
                .bind(breaker.saved.state.as_str())
                .bind(whole_micros(breaker.saved.open_for))
                .bind(i64::from(breaker.saved.failed_recoveries))
                .bind(breaker.at.as_microsecond())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// The period rounded up, so that it ends no sooner; one that no column holds ends in 292 000 years.
fn whole_micros(period: Duration) -> i64 {
    i64::try_from(period.as_nanos().div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// The breaker of a row of [`SELECT`].
fn breaker(row: &SqliteRow) -> Result<StoredBreaker, sqlx::Error> {
    let name: String = row.try_get(0)?;
    let broken = |what: &str| sqlx::Error::Decode(format!("the breaker {name:?} has {what}").into());
    let state: &str = row.try_get(1)?;
    let saved = Saved {
        state: State::parse(state).ok_or_else(|| broken(&format!("the state {state:?}, which is none")))?,
        open_for: u64::try_from(row.try_get::<i64, _>(2)?)
            .map(Duration::from_micros)
            .map_err(|_| broken("a period that is negative"))?,
        failed_recoveries: u32::try_from(row.try_get::<i64, _>(3)?)
            .map_err(|_| broken("a count of failed recoveries that is out of range"))?,
    };
    let at = time(row.try_get(4)?)?;
    Ok(StoredBreaker { saved, at, name })
}

#[async_trait]
impl BreakerStore for SqliteBreakerStore {
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError> {
        self.all().await.map_err(store_error)
    }

    async fn save(&self, epoch: Epoch, breakers: &[StoredBreaker]) -> Result<(), StoreError> {
        match self.write(epoch, breakers).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::Fenced { epoch }),
            Err(error) => Err(store_error(error)),
        }
    }
}
