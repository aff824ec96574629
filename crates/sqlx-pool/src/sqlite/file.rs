//! A database file and its connections: one writes and a few read, so readers never block the writer.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use parking_lot::Mutex;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqlitePool, Transaction};
use ttm_kernel::Connections;

use super::error::is_busy;
use super::path::resolved;
use super::{OpenError, PUT_BACK};
use crate::Schema;
use crate::failure::Replaced;

/// How long a statement waits for another process's lock, and a call for a free connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Device and inode of a file.
type Id = (u64, u64);

/// An open file with a write-ahead log.
#[derive(Clone, Debug)]
pub struct File {
    path: PathBuf,
    /// The file that was opened.
    id: Id,
    beside: Beside,
    writer: SqlitePool,
    readers: SqlitePool,
}

const IS_THERE: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";

impl File {
    /// Opens the file for this many concurrent readers, creates it if there is none, and migrates its schema. The folder must
    /// exist.
    pub async fn open(path: &Path, schema: &Schema, readers: u32) -> Result<Self, OpenError> {
        Self::connect(path, schema, readers).await.map_err(|error| OpenError::new(path, schema, error))
    }

    /// Opens a file that must be up to date; creates and changes nothing.
    pub async fn open_existing(path: &Path, schema: &Schema, readers: u32) -> Result<Self, OpenError> {
        let refused = |error| OpenError::new(path, schema, error);
        let file = Self::over(path, readers, false).await.map_err(refused)?;
        let version = file.version(schema).await.map_err(refused)?;
        let known = schema.version();
        let refusal = match schema.behind(version) {
            Some(message) => OpenError::Behind { path: path.to_path_buf(), message },
            None if version > known => {
                OpenError::NewerSchema { path: path.to_path_buf(), found: version, known }
            }
            None => return Ok(file),
        };
        file.close().await;
        Err(refusal)
    }

    async fn version(&self, schema: &Schema) -> Result<i64, sqlx::Error> {
        version(&mut *self.writer.acquire().await?, schema).await
    }

    async fn connect(path: &Path, schema: &Schema, readers: u32) -> Result<Self, sqlx::Error> {
        let file = Self::over(path, readers, true).await?;
        file.migrate(schema).await?;
        Ok(file)
    }

    /// Opens the connections to a file, creating the database and its write-ahead log if `may_make` is set.
    async fn over(path: &Path, readers: u32, may_make: bool) -> Result<Self, sqlx::Error> {
        has_one_name(path)?;
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE).foreign_keys(false);
        let write = options.clone().synchronous(SqliteSynchronous::Full);
        // Connections stay open: one that is opened later may find another file under this name.
        let pool =
            || SqlitePoolOptions::new().acquire_timeout(PATIENCE).idle_timeout(None).max_lifetime(None);
        let beside = Beside::new(path);
        let of_writer = beside.clone();
        let writer = pool()
            .max_connections(1)
            .after_release(|connection, _| Box::pin(has_ended(connection)))
            .after_connect(move |connection, _| {
                let beside = of_writer.clone();
                Box::pin(async move { beside.note(connection).await })
            })
            .connect_with(write.clone().create_if_missing(may_make))
            .await?;
        // A file that disappears later is reported, never recreated.
        writer.set_connect_options(write);
        let id = id(path)?;
        if may_make {
            use_write_ahead_log(&writer).await?;
            beside.note(&mut *writer.acquire().await?).await?;
        }
        let readers = pool().max_connections(readers).connect_lazy_with(options.read_only(true));
        Ok(Self { path: path.to_path_buf(), id, beside, writer, readers })
    }

    /// Migrates the schema in one transaction. On SQLite sqlx takes no lock of its own, but the transaction does: if several
    /// processes start at the same time, one migrates and the others find nothing to do.
    async fn migrate(&self, schema: &Schema) -> Result<(), sqlx::Error> {
        let mut tx = self.begin().await?;
        let newest = version(&mut tx, schema).await?;
        if newest > schema.version() {
            return Err(sqlx::Error::Migrate(Box::new(MigrateError::VersionMissing(newest))));
        }
        let migrated = schema.migrator().run_direct(None, &mut *tx, false).await;
        migrated.map_err(|error| sqlx::Error::Migrate(Box::new(error)))?;
        for table in schema.tables {
            let there: i64 = sqlx::query_scalar(IS_THERE).bind(table).fetch_one(&mut *tx).await?;
            if there == 0 {
                return Err(Replaced(schema.lacking(table)).into());
            }
        }
        tx.commit().await
    }

    /// Begins a transaction that holds the write lock from the start: one that took it later could fail half way.
    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.is_there()?;
        let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        // Only now, since a connection that was opened for it may have created them. The whole folder may have gone meanwhile.
        self.beside.are_there().or_else(|error| self.is_there().and(Err(error)))?;
        Ok(transaction)
    }

    /// Checks that the name still leads to the file that was opened. SQLite would go on writing into a deleted file, and
    /// everything would be lost with the last connection.
    fn is_there(&self) -> Result<(), sqlx::Error> {
        let Some(what) = changed(&self.path, self.id) else { return Ok(()) };
        Err(Replaced(format!("{} was {what} while it was in use; {PUT_BACK}", self.path.display())).into())
    }

    /// The read-only connections.
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Closes the connections, the readers first: the last one to close merges the write-ahead log into the file, for which it
    /// must be able to write.
    pub async fn close(&self) {
        self.readers.close().await;
        // If another process has the file open too, this is not the last connection. It merges what it can without waiting;
        // the rest is safe in the log.
        if !self.writer.is_closed() {
            drop(sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.writer).await);
        }
        self.writer.close().await;
    }

    /// How busy its connections are.
    pub fn connections(&self) -> Connections {
        crate::connections(&[&self.writer, &self.readers])
    }
}

/// The newest applied migration, 0 if there is none.
async fn version(connection: &mut SqliteConnection, schema: &Schema) -> Result<i64, sqlx::Error> {
    let there: i64 = sqlx::query_scalar(IS_THERE).bind(schema.history).fetch_one(&mut *connection).await?;
    if there == 0 {
        return Ok(0);
    }
    let newest = format!("SELECT coalesce(max(version), 0) FROM {}", schema.history);
    sqlx::query_scalar(AssertSqlSafe(newest)).fetch_one(connection).await
}

/// Whether a connection's transaction has ended, so that the next one may begin on it.
///
/// On some errors, such as a full disk, SQLite rolls back by itself. The rollback that sqlx then sends fails, and sqlx would
/// regard the transaction as open forever, so such a connection is closed and the pool opens a new one.
async fn has_ended(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // A rollback is queued on the connection before the ping.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// SQLite keeps a separate write-ahead log for each name of a database; writing through two of them corrupts it.
pub(super) fn has_one_name(path: &Path) -> Result<(), sqlx::Error> {
    match fs::metadata(path) {
        Ok(file) if file.is_file() && file.nlink() > 1 => {
            let names = file.nlink();
            let advice = "SQLite corrupts a database that is used under two of them: remove all but one";
            Err(sqlx::Error::Configuration(format!("it has {names} names (hard links); {advice}").into()))
        }
        // For a file that cannot be examined, SQLite's own error is better.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn id(path: &Path) -> io::Result<Id> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// What happened to the file of this name, if it is no longer the same one.
fn changed(path: &Path, was: Id) -> Option<&'static str> {
    match id(path) {
        Ok(id) if id == was => None,
        Ok(_) => Some("replaced by another file"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("deleted or moved away"),
        // A disk that does not respond says nothing about the file.
        Err(_) => None,
    }
}

/// The write-ahead log and its index, as opened by the writer's connection.
///
/// If their names are deleted, nothing seems wrong: the connection goes on using them, and merges them when it is closed. But
/// committed data that is not merged yet is lost if the process is killed. And another process that opens the database in the
/// meantime creates new ones, after which the writes of one of the two are silently lost.
#[derive(Clone, Debug)]
struct Beside {
    database: PathBuf,
    open: Arc<Mutex<Vec<(PathBuf, Id)>>>,
}

impl Beside {
    fn new(database: &Path) -> Self {
        Self { database: database.to_path_buf(), open: Arc::default() }
    }

    /// Records which files this connection, the only one that writes, has open.
    async fn note(&self, writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        // They are opened by the first read.
        sqlx::query("PRAGMA schema_version").execute(writer).await?;
        // Beside the database itself, not beside the links to it.
        let database = resolved(&self.database)?;
        let with = |end: &str| {
            let mut path = database.as_os_str().to_owned();
            path.push(end);
            let path = PathBuf::from(path);
            id(&path).ok().map(|id| (path, id))
        };
        let open = ["-wal", "-shm"].into_iter().filter_map(with).collect();
        *self.open.lock() = open;
        Ok(())
    }

    fn are_there(&self) -> Result<(), sqlx::Error> {
        for (path, id) in &*self.open.lock() {
            if let Some(what) = changed(path, *id) {
                let advice = "keep other programs from opening the database and stop this process gracefully: it then merges \
                    its commits into the database, and would lose them if it were killed";
                return Err(
                    Replaced(format!("{} was {what} while it was in use: {advice}", path.display())).into()
                );
            }
        }
        Ok(())
    }
}

/// Switches the file to a write-ahead log, which is permanent.
///
/// If several connections switch a new file at the same moment, SQLite refuses all but one at once, whatever the busy
/// timeout. They wait for the winner's lock, which does respect the timeout, and find the file switched.
async fn use_write_ahead_log(writer: &SqlitePool) -> Result<(), sqlx::Error> {
    /// One attempt is enough once another connection has won; the others are for rounds that none of them wins.
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
        _ => Err(sqlx::Error::Configuration("its file system does not support a write-ahead log".into())),
    }
}
