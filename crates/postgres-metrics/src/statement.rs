//! The statements, and the few steps inside a batch's transaction. It does not know when one begins or ends.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::PgConnection;
use ttm_perf::{Fold, Point, RangeQuery, SeriesKey};
use ttm_sqlx_pool::postgres::{Pool, Time, query, query_as, query_scalar};

/// Rows of one insert: measured to be about as fast as `COPY` into an indexed table.
const ROWS: usize = 10_000;

/// Identity of a sample: its series and its time.
pub(crate) type Identity = (i32, Timestamp);

/// The numbers of these series; those that have none are given one.
pub(crate) async fn series_ids(
    tx: &mut PgConnection,
    keys: &BTreeSet<&str>,
) -> Result<BTreeMap<String, i32>, sqlx::Error> {
    let mut ids = known_ids(tx, keys).await?;
    let missing: BTreeSet<&str> = keys.iter().copied().filter(|key| !ids.contains_key(*key)).collect();
    if !missing.is_empty() {
        // In order, so that two writers of the same new series wait for each other and do not deadlock. One that
        // lost the race finds the other's number afterwards.
        query("INSERT INTO series (key) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING")
            .bind(missing.iter().copied().collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
        ids.append(&mut known_ids(tx, &missing).await?);
    }
    Ok(ids)
}

async fn known_ids(
    tx: &mut PgConnection,
    keys: &BTreeSet<&str>,
) -> Result<BTreeMap<String, i32>, sqlx::Error> {
    let known: Vec<(String, i32)> = query_as("SELECT key, series_id FROM series WHERE key = ANY($1)")
        .bind(keys.iter().copied().collect::<Vec<_>>())
        .fetch_all(tx)
        .await?;
    Ok(known.into_iter().collect())
}

/// Inserts samples, in the order of their identity; how many were new.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    samples: BTreeMap<Identity, f64>,
) -> Result<u64, sqlx::Error> {
    let samples: Vec<(Identity, f64)> = samples.into_iter().collect();
    let mut stored = 0;
    for rows in samples.chunks(ROWS) {
        let inserted = query(
            "INSERT INTO sample (series_id, ts, value) \
             SELECT * FROM unnest($1::int4[], $2::timestamptz[], $3::float8[]) ON CONFLICT DO NOTHING",
        )
        .bind(rows.iter().map(|((series, _), _)| *series).collect::<Vec<_>>())
        .bind(rows.iter().map(|((_, at), _)| Time(*at)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, value)| *value).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
        stored += inserted.rows_affected();
    }
    Ok(stored)
}

/// Folds the samples of a query as they come: only points are kept in memory.
pub(crate) async fn range(pool: &Pool, asked: &RangeQuery) -> Result<Vec<Point>, sqlx::Error> {
    let mut tx = pool.begin_read().await?;
    // Microseconds cut the ends towards zero: a little more is read, and the fold knows the exact ends.
    let mut rows = query_as::<(Time, f64)>(
        "SELECT ts, value FROM sample WHERE series_id = (SELECT series_id FROM series WHERE key = $1) \
         AND ts >= $2 AND ts <= $3 ORDER BY ts",
    )
    .bind(asked.series().as_str())
    .bind(Time::saturating(asked.from()))
    .bind(Time::saturating(asked.to()))
    .fetch(&mut *tx);
    let mut fold = Fold::new(asked);
    while let Some((Time(at), value)) = rows.try_next().await? {
        fold.push(at, value);
    }
    drop(rows);
    tx.commit().await?;
    Ok(fold.finish())
}

/// Keys that start with a prefix and come after another, ascending.
pub(crate) async fn keys(
    pool: &Pool,
    prefix: &str,
    after: Option<&SeriesKey>,
    limit: usize,
) -> Result<Vec<SeriesKey>, sqlx::Error> {
    // PostgreSQL has no NUL in its texts, and no key has one either.
    if prefix.contains('\0') {
        return Ok(Vec::new());
    }
    // DEL is greater than every character of a key, so that this is exactly the range of the prefix.
    let end = format!("{prefix}\u{7f}");
    let mut tx = pool.begin_read().await?;
    let keys: Vec<String> = query_scalar(
        "SELECT key FROM series WHERE key >= $1 AND key < $2 AND key > $3 ORDER BY key LIMIT $4",
    )
    .bind(prefix)
    .bind(end)
    .bind(after.map_or("", SeriesKey::as_str))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    keys.iter().map(|key| key.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
}
