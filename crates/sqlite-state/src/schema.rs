//! The migrations of this store, and what it means when the file's history differs. It knows no table.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqlitePool};

/// The history of this store alone: the metrics may keep theirs in the same file.
const HISTORY: &str = "_ttm_state_migrations";

fn migrator() -> Migrator {
    let tokens = include_str!("../../../migrations/sqlite/state/0001_tokens.sql");
    let migration = Migration::new(1, "tokens".into(), MigrationType::Simple, tokens.into_sql_str(), false);
    let mut migrator = Migrator::with_migrations(vec![migration]);
    migrator.dangerous_set_table_name(HISTORY);
    migrator
}

/// The newest version that this program knows.
pub(crate) fn known_version() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
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
