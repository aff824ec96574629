//! The breaker store, in the same database as the tokens and under the same epochs.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;
use ttm_breaker::{BreakerStore, Saved, State, StoredBreaker, StoredRate};
use ttm_kernel::{FencingToken, StoreError};
use ttm_sqlx_pool::postgres::{Pool, Time, query, store_error};

use crate::fence::{Writer, may_write};

const SELECT: &str = "SELECT name, state, open_for_us, failed_recoveries, saved_at, rate_share, paused_for_us, since FROM breaker ORDER BY name";

const UPSERT: &str = "INSERT INTO breaker (name, state, open_for_us, failed_recoveries, saved_at, \
     rate_share, paused_for_us, since) SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::int8[], \
     $5::timestamptz[], $6::float8[], $7::int8[], $8::timestamptz[]) \
     ON CONFLICT (name) DO UPDATE SET state = excluded.state, open_for_us = excluded.open_for_us, \
     failed_recoveries = excluded.failed_recoveries, saved_at = excluded.saved_at, \
     rate_share = excluded.rate_share, paused_for_us = excluded.paused_for_us, since = excluded.since";

/// A breaker store in the database of a [`PostgresTokenStore`](crate::PostgresTokenStore).
#[derive(Clone, Debug)]
pub struct PostgresBreakerStore {
    pub(crate) pool: Pool,
}

impl PostgresBreakerStore {
    async fn all(&self) -> Result<Vec<StoredBreaker>, sqlx::Error> {
        let mut tx = self.pool.begin_read().await?;
        let rows = query(SELECT).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        rows.iter().map(breaker).collect()
    }

    /// Stores nothing under a fencing token that is not the newest one.
    async fn write(
        &self,
        under: FencingToken,
        breakers: &[StoredBreaker],
    ) -> Result<Result<(), StoreError>, sqlx::Error> {
        // One state per breaker, the last one: a statement may not change a row twice.
        let latest: BTreeMap<&str, &StoredBreaker> =
            breakers.iter().map(|breaker| (&*breaker.name, breaker)).collect();
        let latest: Vec<&StoredBreaker> = latest.into_values().collect();
        let mut tx = self.pool.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Breakers, under).await? {
            return Ok(Err(refused));
        }
        query(UPSERT)
            .bind(column(&latest, |breaker| &*breaker.name))
            .bind(column(&latest, |breaker| breaker.saved.state.as_str()))
            .bind(column(&latest, |breaker| whole_micros(breaker.saved.open_for)))
            .bind(column(&latest, |breaker| i64::from(breaker.saved.failed_recoveries)))
            .bind(column(&latest, |breaker| Time(breaker.at)))
            .bind(column(&latest, |breaker| breaker.rate.map(|rate| rate.share)))
            .bind(column(&latest, |breaker| breaker.rate.map(|rate| whole_micros(rate.paused_for))))
            .bind(column(&latest, |breaker| breaker.since.map(Time)))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Ok(()))
    }
}

fn column<'a, T>(breakers: &[&'a StoredBreaker], field: impl Fn(&'a StoredBreaker) -> T) -> Vec<T> {
    breakers.iter().map(|breaker| field(breaker)).collect()
}

/// The period, rounded up so that it never ends early and capped at what the column holds, 292 000 years.
fn whole_micros(period: Duration) -> i64 {
    i64::try_from(period.as_nanos().div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// Reads a breaker from a row of [`SELECT`].
fn breaker(row: &PgRow) -> Result<StoredBreaker, sqlx::Error> {
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
    let Time(at) = row.try_get(4)?;
    let since = row.try_get::<Option<Time>, _>(7)?.map(|Time(since)| since);
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
impl BreakerStore for PostgresBreakerStore {
    async fn load(&self) -> Result<Vec<StoredBreaker>, StoreError> {
        self.all().await.map_err(store_error)
    }

    async fn save(&self, under: FencingToken, breakers: &[StoredBreaker]) -> Result<(), StoreError> {
        self.write(under, breakers).await.map_err(store_error)?
    }
}
