//! The statements and the steps inside a batch's transaction; the caller begins and commits it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use futures_util::TryStreamExt;
use sqlx::{SqliteConnection, SqlitePool};
use ttm_perf::{Fold, Point, RangeQuery, SeriesKey};
use ttm_sqlx_pool::sqlite::time;

/// Rows of the multi-row insert. One row per statement costs several times as much; more rows gain little.
const ROWS: usize = 256;

const INSERT_ONE: &str = "INSERT INTO sample (series_id, ts, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";

/// Always the same text, so it is prepared only once.
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| {
    let rows = vec!["(?, ?, ?)"; ROWS].join(", ");
    format!("INSERT INTO sample (series_id, ts, value) VALUES {rows} ON CONFLICT DO NOTHING")
});

/// The identity of a sample: its series and its time in microseconds.
pub(crate) type Identity = (i64, i64);

/// The number of a series, assigned if it has none.
pub(crate) async fn series_id(tx: &mut SqliteConnection, key: &SeriesKey) -> Result<i64, sqlx::Error> {
    let known = sqlx::query_scalar("SELECT series_id FROM series WHERE key = ?1")
        .bind(key.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    if let Some(id) = known {
        return Ok(id);
    }
    sqlx::query_scalar("INSERT INTO series (key) VALUES (?1) RETURNING series_id")
        .bind(key.as_str())
        .fetch_one(tx)
        .await
}

/// Inserts samples and returns how many were new.
pub(crate) async fn insert(
    tx: &mut SqliteConnection,
    samples: BTreeMap<Identity, f64>,
) -> Result<u64, sqlx::Error> {
    let samples: Vec<(Identity, f64)> = samples.into_iter().collect();
    let (chunks, rest) = samples.as_chunks::<ROWS>();
    let many = chunks.iter().map(|chunk| (INSERT_MANY.as_str(), chunk.as_slice()));
    let ones = rest.chunks(1).map(|one| (INSERT_ONE, one));
    let mut stored = 0;
    for (statement, rows) in many.chain(ones) {
        let mut query = sqlx::query(statement);
        for ((series, at), value) in rows {
            query = query.bind(series).bind(at).bind(value);
        }
        stored += query.execute(&mut *tx).await?.rows_affected();
    }
    Ok(stored)
}

/// Folds the samples of a query as they arrive, so that only points are kept in memory.
pub(crate) async fn range(pool: &SqlitePool, query: &RangeQuery) -> Result<Vec<Point>, sqlx::Error> {
    // Microseconds round the bounds towards zero, so slightly more is read; the fold has the exact bounds.
    let mut rows = sqlx::query_as::<_, (i64, f64)>(
        "SELECT ts, value FROM sample WHERE series_id = (SELECT series_id FROM series WHERE key = ?1) \
         AND ts >= ?2 AND ts <= ?3 ORDER BY ts",
    )
    .bind(query.series().as_str())
    .bind(query.from().as_microsecond())
    .bind(query.to().as_microsecond())
    .fetch(pool);
    let mut fold = Fold::new(query);
    while let Some((micros, value)) = rows.try_next().await? {
        fold.push(time(micros)?, value);
    }
    Ok(fold.finish())
}

/// The keys that start with a prefix and sort after another key, ascending.
pub(crate) async fn keys(
    pool: &SqlitePool,
    prefix: &str,
    after: Option<&SeriesKey>,
    limit: usize,
) -> Result<Vec<SeriesKey>, sqlx::Error> {
    // DEL sorts after every character of a key, so this is exactly the range of the prefix.
    let end = format!("{prefix}\u{7f}");
    let keys: Vec<String> = sqlx::query_scalar(
        "SELECT key FROM series WHERE key >= ?1 AND key < ?2 AND key > ?3 ORDER BY key LIMIT ?4",
    )
    .bind(prefix)
    .bind(end)
    .bind(after.map_or("", SeriesKey::as_str))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await?;
    keys.iter().map(|key| key.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
}
