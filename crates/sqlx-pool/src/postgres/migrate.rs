//! Migrates a schema in one transaction, and in turn with all others who would: see [`turn`](super::turn). The driver's own
//! migrator would wait without end for a lock of a session, which a pooler can strand.
//!
//! Every wait is bounded on the client's side too, since a frozen server does not enforce its own limits. A wait that times
//! out names the session it waited for. No migration may use `CREATE INDEX CONCURRENTLY`, which cannot run in a transaction.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration};
use sqlx::{AssertSqlSafe, PgConnection};

use super::Pool;
use super::pool::{PATIENCE, answered, query, query_as, query_scalar};
use super::turn::{self, Asked, Turn};
use crate::Schema;

/// The longest that one migration may take, as in [`MIGRATE`]. Anything longer is not a migration: the running service does
/// it in steps.
pub(super) const LONGEST: Duration = Duration::from_mins(5);
/// The longest that anything else here may take, waiting for a lock included.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

const BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = '5min'; SET LOCAL lock_timeout = '2s'; \
     SET LOCAL idle_in_transaction_session_timeout = '10s'";

/// The sessions that hold a lock on a table of this schema, the strongest and oldest lock first. Whoever waits itself is not
/// what is waited for.
const HOLDER: &str = "SELECT l.pid, a.application_name, a.usename::text, host(a.client_addr), c.relname::text, \
     date_trunc('second', a.xact_start)::text \
     FROM pg_locks l JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
     WHERE l.granted AND l.pid <> pg_backend_pid() AND c.relkind IN ('r', 'p') \
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND c.relnamespace = current_schema()::regnamespace \
     ORDER BY EXISTS (SELECT FROM pg_locks w WHERE w.pid = l.pid AND NOT w.granted), \
     (l.mode = 'AccessExclusiveLock') DESC, (l.mode = 'AccessShareLock'), a.xact_start LIMIT 1";

type Holder = (i32, Option<String>, Option<String>, Option<String>, String, Option<String>);

/// Why the schema was not migrated.
pub(super) enum Stopped {
    /// The database failed, or its history is not this program's.
    Error(sqlx::Error),
    /// The database has this encoding, which lacks characters.
    Encoding(String),
    /// A table is missing.
    Gone(&'static str),
    /// It is the turn of this process.
    Held(String),
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Error(error)
    }
}

/// Applies the missing migrations, each within `longest`. Waits briefly for locks of other sessions.
pub(super) async fn migrate(pool: &Pool, schema: &Schema, longest: Duration) -> Result<(), Stopped> {
    let mut tx = pool.begin_with(BEGIN).await?;
    let look = async {
        let encoding: String =
            query_scalar("SELECT current_setting('server_encoding')").fetch_one(&mut *tx).await?;
        let missing = missing(&mut tx, schema).await?;
        let mut gone = None;
        for table in schema.tables.iter().copied().filter(|_| missing.is_empty()) {
            if !exists(&mut tx, table).await? {
                gone = gone.or(Some(table));
            }
        }
        tx.commit().await?;
        Ok((encoding, missing, gone))
    };
    let (encoding, missing, gone) = answered(LIMIT, Box::pin(look)).await?;
    if encoding != "UTF8" {
        return Err(Stopped::Encoding(encoding));
    }
    if let Some(table) = gone {
        return Err(Stopped::Gone(table));
    }
    // Most starts find nothing to do and need no lock.
    if missing.is_empty() {
        return Ok(());
    }
    turn::prepare(pool).await?;
    while let Some(turn) = my_turn(pool, schema).await? {
        match in_turn(pool, turn, schema, longest).await {
            Ok(true) => return Ok(()),
            // It came too late, as after a pause of this process.
            Ok(false) => {}
            Err(error) => {
                turn::give_up(pool, turn).await;
                return Err(error.into());
            }
        }
    }
    Ok(())
}

/// Waits for a turn. `None` if another process has migrated meanwhile.
async fn my_turn(pool: &Pool, schema: &Schema) -> Result<Option<Turn>, Stopped> {
    let mut holder = None;
    let asked = async {
        loop {
            match turn::ask(pool).await {
                Ok(Asked::Granted(turn)) => return Ok(Ok(Some(turn))),
                Ok(Asked::Held(by)) => holder = Some(by),
                Err(error) => return Ok(Err(error)),
            }
            turn::pause().await;
            match is_done(pool, schema).await {
                Ok(true) => return Ok(Ok(None)),
                Ok(false) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
    };
    match answered(turn::WAIT, Box::pin(asked)).await {
        Ok(asked) => asked.map_err(Stopped::Error),
        // The wait is over; whatever was asked last had no answer yet.
        Err(_) => Err(Stopped::Held(holder.unwrap_or_else(|| "an unknown process".to_owned()))),
    }
}

/// Whether nothing is missing any more.
async fn is_done(pool: &Pool, schema: &Schema) -> Result<bool, sqlx::Error> {
    let look = async {
        let mut tx = pool.begin_with(BEGIN).await?;
        let missing = missing(&mut tx, schema).await?;
        tx.commit().await.map(|()| missing.is_empty())
    };
    answered(LIMIT, Box::pin(look)).await
}

/// Migrates in this turn. `false` if another process has the turn by now.
async fn in_turn(pool: &Pool, turn: Turn, schema: &Schema, longest: Duration) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin_with(BEGIN).await?;
    if !answered(LIMIT, turn::confirm(&mut tx, turn)).await? {
        return Ok(false);
    }
    apply(&mut tx, schema, longest).await?;
    answered(LIMIT, turn::release(&mut tx, turn)).await?;
    answered(LIMIT, tx.commit()).await?;
    Ok(true)
}

/// The newest applied migration, 0 if there is none. Changes nothing.
pub(super) async fn version(pool: &Pool, schema: &Schema) -> Result<i64, sqlx::Error> {
    let look = async {
        let mut tx = pool.begin_read().await?;
        let mut version = 0;
        if exists(&mut tx, schema.history).await? {
            let newest = format!("SELECT coalesce(max(version), 0) FROM {}", schema.history);
            version = query_scalar(AssertSqlSafe(newest)).fetch_one(&mut *tx).await?;
        }
        tx.commit().await.map(|()| version)
    };
    answered(LIMIT, Box::pin(look)).await
}

/// Creates a table outside of any migration unless it exists. If several sessions create it at the same time, PostgreSQL
/// fails all but one of them, each at another catalog (a duplicate table, type or key), so what counts is whether the table
/// exists afterwards.
///
/// # Errors
/// Those of the database.
pub async fn ensure_table(pool: &Pool, table: &'static str, make: &'static str) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    // Looked up first, since creating needs a privilege that this user may lack.
    if exists(&mut tx, table).await? {
        return tx.commit().await;
    }
    let Err(error) = sqlx::raw_sql(make).execute(&mut *tx).await else { return tx.commit().await };
    drop(tx);
    let mut tx = pool.begin().await?;
    let is_there = exists(&mut tx, table).await?;
    tx.commit().await?;
    if is_there { Ok(()) } else { Err(error) }
}

async fn apply(tx: &mut PgConnection, schema: &Schema, longest: Duration) -> Result<(), sqlx::Error> {
    let history = schema.history;
    let make = format!(
        "CREATE TABLE IF NOT EXISTS {history} (version bigint PRIMARY KEY, description text NOT NULL, \
         installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, \
         execution_time bigint NOT NULL)"
    );
    let begin = async {
        // Another process may have migrated while this one waited.
        let missing = missing(tx, schema).await?;
        if !exists(tx, history).await? {
            sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut *tx).await?;
        }
        Ok(missing)
    };
    let missing = answered(LIMIT, begin).await?;
    let note = format!(
        "INSERT INTO {history} (version, description, success, checksum, execution_time) \
         VALUES ($1, $2, true, $3, -1)"
    );
    for migration in missing {
        let applied = sqlx::raw_sql(migration.sql.clone()).execute(&mut *tx);
        answered(longest + PATIENCE, applied)
            .await
            .map_err(|error| sqlx::Error::from(MigrateError::ExecuteMigration(error, migration.version)))?;
        let noted = query(AssertSqlSafe(note.clone()))
            .bind(migration.version)
            .bind(&*migration.description)
            .bind(&*migration.checksum)
            .execute(&mut *tx);
        answered(LIMIT, noted).await?;
    }
    Ok(())
}

/// The migrations that the history lacks; an error if it has any that are not this program's, of which the newest is named.
async fn missing(tx: &mut PgConnection, schema: &Schema) -> Result<Vec<Migration>, sqlx::Error> {
    let history = schema.history;
    let mut applied: Vec<(i64, Vec<u8>, bool)> = Vec::new();
    if exists(tx, history).await? {
        let list = format!("SELECT version, checksum, success FROM {history} ORDER BY version DESC");
        applied = query_as(AssertSqlSafe(list)).fetch_all(&mut *tx).await?;
    }
    let known: Vec<Migration> = schema.migrator().iter().cloned().collect();
    for (version, checksum, success) in &applied {
        let version = *version;
        let Some(migration) = known.iter().find(|migration| migration.version == version) else {
            return Err(MigrateError::VersionMissing(version).into());
        };
        if !success {
            return Err(MigrateError::Dirty(version).into());
        }
        if *migration.checksum != checksum[..] {
            return Err(MigrateError::VersionMismatch(version).into());
        }
    }
    let lacks = |migration: &Migration| !applied.iter().any(|(version, ..)| *version == migration.version);
    Ok(known.into_iter().filter(lacks).collect())
}

/// Whether a table of this name exists; waits for no lock.
async fn exists(tx: &mut PgConnection, table: &'static str) -> Result<bool, sqlx::Error> {
    query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(tx).await
}

/// A description of the session that holds the lock on a table, as far as known.
pub(super) async fn holder(pool: &Pool) -> Cow<'static, str> {
    let asked = async {
        let mut tx = pool.begin_read().await?;
        let holder: Option<Holder> = query_as(HOLDER).fetch_optional(&mut *tx).await?;
        tx.commit().await.map(|()| holder)
    };
    match answered(PATIENCE, Box::pin(asked)).await {
        Ok(Some((pid, application, user, address, table, since))) => {
            let or = |text: Option<String>, none: &str| {
                text.filter(|text| !text.is_empty()).unwrap_or_else(|| none.to_owned())
            };
            let application = or(application, "unknown");
            let (user, address) = (or(user, "unknown"), or(address, "a local socket"));
            let since = or(since, "an unknown time");
            let name = format!(
                "{table}, locked by server process {pid} (application {application}, user {user}, from {address}) \
                 since {since}"
            );
            name.into()
        }
        Ok(None) => "a lock that has been released since".into(),
        Err(_) => "a lock whose holder is unknown".into(),
    }
}
