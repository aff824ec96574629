//! A file and the connections to it: one writes and a few read, so that readers never hold up the writer. It knows no
//! statement but those that make a file ready.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use super::OpenError;
use super::error::is_busy;
use crate::Schema;

/// How long a statement waits for another process's lock, and a call for a free connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open file with a write-ahead log.
#[derive(Clone, Debug)]
pub struct File {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl File {
    /// Opens the file for so many readers at the same time, makes it when there is none, and brings its schema up to
    /// date. The folder must be there.
    pub async fn open(path: &Path, schema: &Schema, readers: u32) -> Result<Self, OpenError> {
        Self::connect(path, schema, readers).await.map_err(|error| OpenError::new(path, schema, error))
    }

    async fn connect(path: &Path, schema: &Schema, readers: u32) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE).foreign_keys(false);
        let writer = options.clone().create_if_missing(true).synchronous(SqliteSynchronous::Full);
        let pool = || SqlitePoolOptions::new().acquire_timeout(PATIENCE);
        let writer = pool().max_connections(1).connect_with(writer).await?;
        use_write_ahead_log(&writer).await?;
        let readers = pool().max_connections(readers).connect_lazy_with(options.read_only(true));
        let file = Self { writer, readers };
        file.migrate(schema).await?;
        Ok(file)
    }

    /// Brings the schema up to date, in one transaction. sqlx takes no lock of its own on SQLite, the transaction does:
    /// of several processes that start at once, one migrates and the others find nothing to do.
    async fn migrate(&self, schema: &Schema) -> Result<(), sqlx::Error> {
        let mut tx = self.begin().await?;
        let migrated = schema.migrator().run_direct(None, &mut *tx, false).await;
        migrated.map_err(|error| sqlx::Error::Migrate(Box::new(error)))?;
        tx.commit().await
    }

    /// A transaction that is a writer from its start: one that became a writer later could be refused half way.
    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// The connections that only read.
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Ends the connections in order: the readers first, since the last one to go merges the write-ahead log into the file
    /// and must be one that may write.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Connections in use, and the most that there may be.
    pub fn connections(&self) -> (u32, u32) {
        crate::connections(&[&self.writer, &self.readers])
    }
}

/// Gives the file a write-ahead log, which it keeps for good.
///
/// Of several that switch a new file at the same moment, SQLite refuses all but one at once, whatever the busy timeout.
/// They wait for the winner's lock, which does heed the timeout, and find the file switched.
async fn use_write_ahead_log(writer: &SqlitePool) -> Result<(), sqlx::Error> {
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
