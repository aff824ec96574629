//! How a file becomes this store: its journal and its migrations. It knows no table.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqlitePool};

use crate::error::is_busy;

/// The history of this store alone: the tokens may keep theirs in the same file.
const HISTORY: &str = "_ttm_metrics_migrations";

fn migrator() -> Migrator {
    let samples = include_str!("../../../migrations/sqlite/metrics/0001_samples.sql");
    let migration = Migration::new(1, "samples".into(), MigrationType::Simple, samples.into_sql_str(), false);
    let mut migrator = Migrator::with_migrations(vec![migration]);
    migrator.dangerous_set_table_name(HISTORY);
    migrator
}

/// The newest version that this program knows.
pub(crate) fn known_version() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Gives the file a write-ahead log, which it keeps for good.
///
/// Of several that switch a new file at the same moment, SQLite refuses all but one at once, whatever the busy timeout.
/// They wait for the winner's lock, which does heed the timeout, and find the file switched.
pub(crate) async fn use_write_ahead_log(writer: &SqlitePool) -> Result<(), sqlx::Error> {
    /// One is enough after a winner; a few more for rounds without one.
    const ATTEMPTS: u32 = 50;
    let mut outcome = Ok(String::new());
    for _ in 0..ATTEMPTS {
        outcome = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(writer).await;
        if !outcome.as_ref().is_err_and(is_busy) {
            break;
        }
        writer.begin_with("BEGIN EXCLUSIVE").await?.rollback().await?;
    }
    match outcome?.as_str() {
        "wal" => Ok(()),
        _ => Err(sqlx::Error::Configuration("its file system cannot share a write-ahead log".into())),
    }
}

/// Brings the schema up to date, in one transaction. It starts as a writer, since sqlx takes no lock of its own on
/// SQLite: of several processes that start at once, one migrates and the others find nothing to do.
pub(crate) async fn migrate(writer: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    migrator()
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(|error| sqlx::Error::Migrate(Box::new(error)))?;
    tx.commit().await
}
