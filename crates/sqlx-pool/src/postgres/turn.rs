//! Whose turn it is to migrate: one row, a lease that ends by the database's clock, and that is committed before the work.
//!
//! So whoever waits can read who it waits for, and a holder that died is superseded once its lease has ended. The lease need not
//! outlast the work: the transaction of the migrations locks the row first and holds it until it commits, so nobody else
//! takes the turn meanwhile, however long that lasts; and it finds itself superseded, and does nothing, if it was too late.

use std::time::Duration;

use deadpool::Runtime;
use sqlx::PgConnection;

use super::error;
use super::migrate::{LIMIT, ensure_table};
use super::pool::{Pool, answered, query, query_as, query_scalar};

/// How long a turn is waited for: longer than the lease of a holder that died.
pub(super) const WAIT: Duration = Duration::from_secs(15);
/// How soon it is asked for again.
const STEP: Duration = Duration::from_millis(100);

const TABLE: &str = "_ttm_migration_lease";
const MAKE: &str = "CREATE TABLE IF NOT EXISTS _ttm_migration_lease (one boolean NOT NULL PRIMARY KEY CHECK (one), \
     turn bigint NOT NULL, holder text NOT NULL, since timestamptz NOT NULL, expires_at timestamptz NOT NULL)";

/// A turn lasts from this statement to the lock of [`CONFIRM`], which is a matter of milliseconds; then the lock takes over.
/// Bounded as a whole: behind another session that waits for the same row, it waits twice, and a lock timeout counts each
/// of these waits by itself.
const BEGIN: &str =
    "BEGIN; SET LOCAL statement_timeout = '2s'; SET LOCAL idle_in_transaction_session_timeout = '10s'";
const TAKE: &str = "INSERT INTO _ttm_migration_lease AS held (one, turn, holder, since, expires_at) \
     VALUES (true, 1, $1, clock_timestamp(), clock_timestamp() + interval '10 s') \
     ON CONFLICT (one) DO UPDATE SET turn = held.turn + 1, holder = excluded.holder, since = excluded.since, \
     expires_at = excluded.expires_at WHERE held.expires_at <= clock_timestamp() RETURNING turn";
const CONFIRM: &str = "SELECT turn FROM _ttm_migration_lease WHERE turn = $1 FOR UPDATE";
const RELEASE: &str = "UPDATE _ttm_migration_lease SET expires_at = clock_timestamp() WHERE turn = $1";
const HOLDER: &str = "SELECT holder, date_trunc('second', since)::text, date_trunc('second', expires_at)::text \
     FROM _ttm_migration_lease";

/// A turn that was granted, by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn(i64);

/// What came of asking for a turn.
pub(super) enum Asked {
    /// It is this process's.
    Granted(Turn),
    /// It is another one's, described as far as known.
    Held(String),
}

/// Makes the table that the turns are in.
pub(super) async fn prepare(pool: &Pool) -> Result<(), sqlx::Error> {
    answered(LIMIT, Box::pin(ensure_table(pool, TABLE, MAKE))).await
}

/// Asks for a turn, and waits two seconds for it at most.
pub(super) async fn ask(pool: &Pool) -> Result<Asked, sqlx::Error> {
    let take = async {
        let mut tx = pool.begin_with(BEGIN).await?;
        let turn: Option<i64> = query_scalar(TAKE).bind(this_process()).fetch_optional(&mut *tx).await?;
        tx.commit().await.map(|()| turn)
    };
    match answered(LIMIT, Box::pin(take)).await {
        Ok(Some(turn)) => Ok(Asked::Granted(Turn(turn))),
        Ok(None) => Ok(Asked::Held(holder(pool).await?)),
        // The row is locked: its holder works.
        Err(error) if is_out_of_time(&error) => Ok(Asked::Held(holder(pool).await?)),
        Err(error) => Err(error),
    }
}

/// Lets some time pass before a turn is asked for again.
pub(super) async fn pause() {
    // The time that is up is what is waited for.
    let _ = Runtime::Tokio1.timeout(STEP, std::future::pending::<()>()).await;
}

/// Locks the turn until the transaction ends. `false` if it has ended before, and is another process's now.
pub(super) async fn confirm(tx: &mut PgConnection, turn: Turn) -> Result<bool, sqlx::Error> {
    let confirmed: Option<i64> = query_scalar(CONFIRM).bind(turn.0).fetch_optional(tx).await?;
    Ok(confirmed.is_some())
}

/// Ends the turn with the transaction.
pub(super) async fn release(tx: &mut PgConnection, turn: Turn) -> Result<(), sqlx::Error> {
    query(RELEASE).bind(turn.0).execute(tx).await.map(|_| ())
}

/// Ends the turn of migrations that failed, if that is possible: it ends by itself otherwise.
pub(super) async fn give_up(pool: &Pool, turn: Turn) {
    let given_up = async {
        let mut tx = pool.begin().await?;
        release(&mut tx, turn).await?;
        tx.commit().await
    };
    let _ = answered(LIMIT, Box::pin(given_up)).await;
}

async fn holder(pool: &Pool) -> Result<String, sqlx::Error> {
    let look = async {
        let mut tx = pool.begin_read().await?;
        let held: Option<(String, String, String)> = query_as(HOLDER).fetch_optional(&mut *tx).await?;
        tx.commit().await.map(|()| held)
    };
    let held = answered(LIMIT, Box::pin(look)).await?;
    Ok(held.map_or_else(
        || "a process that has just ended".to_owned(),
        |(holder, since, until)| {
            format!("{holder}, which migrates since {since}; if it died, its turn ends at {until}")
        },
    ))
}

fn is_out_of_time(error: &sqlx::Error) -> bool {
    matches!(error::state(error).as_deref(), Some("57014" | "55P03"))
}

/// As other processes name this one.
fn this_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "an unknown host" } else { host };
    format!("process {} on {host}", std::process::id())
}
