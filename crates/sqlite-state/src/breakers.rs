//! The breaker store, in the same file as the tokens and under the same epochs.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use ttm_breaker::{BreakerStore, Saved, State, StoredBreaker, StoredRate};
use ttm_kernel::{FencingToken, StoreError};
use ttm_sqlx_pool::sqlite::store_error;
use ttm_sqlx_pool::sqlite::{File, time};

use crate::fence::{Writer, may_write};

const SELECT: &str = "SELECT name, state, open_for_us, failed_recoveries, saved_at, rate_share, paused_for_us, since FROM breaker ORDER BY name";

const UPSERT: &str = "INSERT INTO breaker (name, state, open_for_us, failed_recoveries, saved_at, \
     rate_share, paused_for_us, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (name) DO UPDATE SET state = excluded.state, \
     open_for_us = excluded.open_for_us, failed_recoveries = excluded.failed_recoveries, saved_at = excluded.saved_at, \
     rate_share = excluded.rate_share, paused_for_us = excluded.paused_for_us, since = excluded.since";

/// A breaker store in the file of a [`SqliteTokenStore`](crate::SqliteTokenStore).
#[derive(Clone, Debug)]
pub struct SqliteBreakerStore {
    pub(crate) file: File,
}

impl SqliteBreakerStore {
    async fn all(&self) -> Result<Vec<StoredBreaker>, sqlx::Error> {
        let rows = sqlx::query(SELECT).fetch_all(self.file.readers()).await?;
        rows.iter().map(breaker).collect()
    }

    /// Stores nothing under a fencing token that is not the newest one.
    async fn write(
        &self,
        under: FencingToken,
        breakers: &[StoredBreaker],
    ) -> Result<Result<(), StoreError>, sqlx::Error> {
        let mut tx = self.file.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Breakers, under).await? {
            return Ok(Err(refused));
        }
        for breaker in breakers {
            sqlx::query(UPSERT)
                .bind(&breaker.name)
                .bind(breaker.saved.state.as_str())
                .bind(whole_micros(breaker.saved.open_for))
                .bind(i64::from(breaker.saved.failed_recoveries))
                .bind(breaker.at.as_microsecond())
                .bind(breaker.rate.map(|rate| rate.share))
                .bind(breaker.rate.map(|rate| whole_micros(rate.paused_for)))
                .bind(breaker.since.map(Timestamp::as_microsecond))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(Ok(()))
    }
}

/// The period, rounded up so that it never ends early and capped at what the column holds, 292 000 years.
fn whole_micros(period: Duration) -> i64 {
    i64::try_from(period.as_nanos().div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// Reads a breaker from a row of [`SELECT`].
fn breaker(row: &SqliteRow) -> Result<StoredBreaker, sqlx::Error> {
    let name: String = row.try_get(0)?;
    let broken = |what: &str| sqlx::Error::Decode(format!("the breaker {name:?} has {what}").into());
    let state: &str = row.try_get(1)?;
    let saved = Saved {
        state: State::parse(state).ok_or_else(|| broken(&format!("the unknown state {state:?}")))?,
        open_for: u64::try_from(row.try_get::<i64, _>(2)?)
            .map(Duration::from_micros)
            .map_err(|_| broken("a negative open period"))?,
        failed_recoveries: u32::try_from(row.try_get::<i64, _>(3)?)
            .map_err(|_| broken("an out-of-range count of failed recoveries"))?,
    };
    let at = time(row.try_get(4)?)?;
    let since = row.try_get::<Option<i64>, _>(7)?.map(time).transpose()?;
    let rate = match (row.try_get::<Option<f64>, _>(5)?, row.try_get::<Option<i64>, _>(6)?) {
        (None, None) => None,
        (Some(share), Some(micros)) if share > 0.0 && share <= 1.0 => Some(StoredRate {
            share,
            paused_for: u64::try_from(micros)
                .map(Duration::from_micros)
                .map_err(|_| broken("a negative pause"))?,
        }),
        _ => return Err(broken("an incomplete rate, or a share that is not above 0 and up to 1")),
    };
    Ok(StoredBreaker { saved, at, since, rate, name })
}

#[async_trait]
impl BreakerStore for SqliteBreakerStore {
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError> {
        self.all().await.map_err(store_error)
    }

    async fn save(&self, under: FencingToken, breakers: &[StoredBreaker]) -> Result<(), StoreError> {
        self.write(under, breakers).await.map_err(store_error)?
    }
}
