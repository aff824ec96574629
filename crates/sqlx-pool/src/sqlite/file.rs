//! A file and the connections to it: one writes and a few read, so that readers never hold up the writer. It knows no
//! statement but those that make a file ready.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use parking_lot::Mutex;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqlitePool, Transaction};

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
    /// Opens the file for so many readers at the same time, makes it when there is none, and brings its schema up to
    /// date. The folder must be there.
    pub async fn open(path: &Path, schema: &Schema, readers: u32) -> Result<Self, OpenError> {
        Self::connect(path, schema, readers).await.map_err(|error| OpenError::new(path, schema, error))
    }

    /// Opens a file that is up to date, and makes and changes nothing.
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

    async fn connect(path: &Path, schema: &Schema, readers: u32) -> Result<Self, sqlx::Error> {
        let file = Self::over(path, readers, true).await?;
        file.migrate(schema).await?;
        Ok(file)
    }

    /// The connections to a file, which is made a database with a write-ahead log where it may be.
    async fn over(path: &Path, readers: u32, may_make: bool) -> Result<Self, sqlx::Error> {
        has_one_name(path)?;
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE).foreign_keys(false);
        let write = options.clone().synchronous(SqliteSynchronous::Full);
        // Connections stay: one that is opened later may find another file under the name.
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
        // A file that went away later is missed, never made anew.
        writer.set_connect_options(write);
        let id = id(path)?;
        if may_make {
            use_write_ahead_log(&writer).await?;
            beside.note(&mut *writer.acquire().await?).await?;
        }
        let readers = pool().max_connections(readers).connect_lazy_with(options.read_only(true));
        Ok(Self { path: path.to_path_buf(), id, beside, writer, readers })
    }

    /// The newest migration that was applied; 0 where none was.
    async fn version(&self, schema: &Schema) -> Result<i64, sqlx::Error> {
        let there: i64 = sqlx::query_scalar(IS_THERE).bind(schema.history).fetch_one(&self.writer).await?;
        if there == 0 {
            return Ok(0);
        }
        let newest = format!("SELECT coalesce(max(version), 0) FROM {}", schema.history);
        sqlx::query_scalar(AssertSqlSafe(newest)).fetch_one(&self.writer).await
    }

    /// Brings the schema up to date, in one transaction. sqlx takes no lock of its own on SQLite, the transaction does:
    /// of several processes that start at once, one migrates and the others find nothing to do.
    async fn migrate(&self, schema: &Schema) -> Result<(), sqlx::Error> {
        let mut tx = self.begin().await?;
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

    /// A transaction that is a writer from its start: one that became a writer later could be refused half way.
    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.is_there()?;
        let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        // Now, since a connection that was opened for it may have made them.
        self.beside.are_there()?;
        Ok(transaction)
    }

    /// Whether the name still leads to the file that was opened. SQLite would write on into one that is deleted, and all
    /// of it would be gone with the last connection.
    fn is_there(&self) -> Result<(), sqlx::Error> {
        let Some(what) = changed(&self.path, self.id) else { return Ok(()) };
        Err(Replaced(format!("{} was {what} while it was in use: {PUT_BACK}", self.path.display())).into())
    }

    /// The connections that only read.
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Ends the connections in order: the readers first, since the last one to go merges the write-ahead log into the file
    /// and must be one that may write.
    pub async fn close(&self) {
        self.readers.close().await;
        // Where another process has the file open too, this is not the last one. What it can, it merges without waiting
        // for anybody; what is not merged is safe in the log.
        if !self.writer.is_closed() {
            drop(sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.writer).await);
        }
        self.writer.close().await;
    }

    /// Connections in use, and the most that there may be.
    pub fn connections(&self) -> (u32, u32) {
        crate::connections(&[&self.writer, &self.readers])
    }
}

/// Whether a connection's transaction is over, so that the next one may begin on it.
///
/// Of some errors, such as a full disk, SQLite rolls back by itself. The rollback that sqlx sends then fails, and sqlx
/// would count a transaction as open for good: such a connection is closed, and the pool opens a new one.
async fn has_ended(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // A rollback waits in the connection's queue, before the ping.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Each name of a database has a write-ahead log of its own for SQLite: what is written over two is damage.
pub(super) fn has_one_name(path: &Path) -> Result<(), sqlx::Error> {
    match fs::metadata(path) {
        Ok(file) if file.is_file() && file.nlink() > 1 => {
            let names = file.nlink();
            let advice = "SQLite damages a database that is used under two of them: leave it one";
            Err(sqlx::Error::Configuration(format!("it has {names} names (hard links); {advice}").into()))
        }
        // What cannot be looked at, SQLite says better.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn id(path: &Path) -> io::Result<Id> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// What became of the file with this name, if it is not the one that it was.
fn changed(path: &Path, was: Id) -> Option<&'static str> {
    match id(path) {
        Ok(id) if id == was => None,
        Ok(_) => Some("replaced by another file"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("deleted or moved away"),
        // A disk that does not answer says nothing of the file.
        Err(_) => None,
    }
}

/// The write-ahead log and its index, as the writer's connection has them open.
///
/// Without their names nothing seems wrong: the connection goes on with them, and merges them at an end in order. But all
/// that was committed and is not merged goes with a process that is killed, and whoever opens the file meanwhile makes new
/// ones, and of what the two then write one part is lost without a word.
#[derive(Clone, Debug)]
struct Beside {
    database: PathBuf,
    open: Arc<Mutex<Vec<(PathBuf, Id)>>>,
}

impl Beside {
    fn new(database: &Path) -> Self {
        Self { database: database.to_path_buf(), open: Arc::default() }
    }

    /// Takes down which files this connection, the only one that writes, has open.
    async fn note(&self, writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        // They are opened with the first reading.
        sqlx::query("PRAGMA schema_version").execute(writer).await?;
        // Beside the database itself, wherever the links to it are.
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
                let advice = "let nothing else open the database, and stop this process in order: it merges what it has \
                    committed into the database, which is lost if it is killed";
                return Err(
                    Replaced(format!("{} was {what} while it was in use: {advice}", path.display())).into()
                );
            }
        }
        Ok(())
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
