//! The statements and the steps inside a batch's transaction; the caller begins and commits it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::PgConnection;
use ttm_perf::{Fold, Point, RangeQuery, SeriesKey};
use ttm_sqlx_pool::postgres::{Pool, Time, query, query_as, query_scalar};

/// Rows per insert: by measurement about as fast as `COPY` into an indexed table.
const ROWS: usize = 10_000;

/// The identity of a sample: its series and its time.
pub(crate) type Identity = (i32, Timestamp);

/// The numbers of these series, assigned to those that have none.
pub(crate) async fn series_ids(
    tx: &mut PgConnection,
    keys: &BTreeSet<&str>,
) -> Result<BTreeMap<String, i32>, sqlx::Error> {
    let mut ids = known_ids(tx, keys).await?;
    let missing: BTreeSet<&str> = keys.iter().copied().filter(|key| !ids.contains_key(*key)).collect();
    if !missing.is_empty() {
        // In order, so that two writers of the same new series wait for each other instead of deadlocking. The one that
        // loses the race finds the other's number afterwards.
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

/// Inserts samples in the order of their identity, and returns how many were new.
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

/// Looks at every table that queries read.
pub(crate) async fn look(pool: &Pool) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin_read().await?;
    query("SELECT (SELECT 1 FROM series LIMIT 1), (SELECT 1 FROM sample LIMIT 1), (SELECT 1 FROM event LIMIT 1)")
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// Folds the samples of a query as they arrive, so that only points are kept in memory.
pub(crate) async fn range(pool: &Pool, asked: &RangeQuery) -> Result<Vec<Point>, sqlx::Error> {
    let mut tx = pool.begin_read().await?;
    // Microseconds round the bounds towards zero, so slightly more is read; the fold has the exact bounds.
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

/// The keys that start with a prefix and sort after another key, ascending.
pub(crate) async fn keys(
    pool: &Pool,
    prefix: &str,
    after: Option<&SeriesKey>,
    limit: usize,
) -> Result<Vec<SeriesKey>, sqlx::Error> {
    // PostgreSQL's text cannot contain NUL, and neither can a key.
    if prefix.contains('\0') {
        return Ok(Vec::new());
    }
    // DEL sorts after every character of a key, so this is exactly the range of the prefix.
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
