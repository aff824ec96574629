//! The migrations of this store, and what it means when the database's history differs. It knows no table.
//!
//! None of them may use `CREATE INDEX CONCURRENTLY`: it waits for the other processes that wait for this one.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use crate::server::Server;

/// The history of this store alone: the tokens may keep theirs in the same database.
const HISTORY: &str = "_ttm_metrics_migrations";

fn migrator() -> Migrator {
    let samples = include_str!("../../../migrations/postgres/metrics/0001_samples.sql");
    let migration = Migration::new(1, "samples".into(), MigrationType::Simple, samples.into_sql_str(), false);
    let mut migrator = Migrator::with_migrations(vec![migration]);
    migrator.dangerous_set_table_name(HISTORY);
    migrator
}

/// The newest version that this program knows.
pub(crate) fn known_version() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Brings the schema up to date, under a lock of the database: of several processes that start at once, one migrates
/// and the others find nothing to do.
pub(crate) async fn migrate(server: &Server) -> Result<(), sqlx::Error> {
    let pool = server.connect_without_timeouts().await?;
    let migrated = migrator().run(&pool).await;
    // The lock belongs to the connection: closing gives it back also when a migration failed.
    pool.close().await;
    migrated.map_err(|error| sqlx::Error::Migrate(Box::new(error)))
}
