//! Sessions with a server, and the transactions that every statement belongs to.
//!
//! A pooler in transaction mode may run each transaction in another session of the server, where nothing is set or prepared.
//! So each transaction sets its limits in the message that begins it, and no statement is prepared under a name.
//!
//! Only a committed transaction returns its session to the pool. Any other end closes that session and all idle ones, since
//! after a failover all of them lead to the old server.

use std::fmt;
use std::io;
use std::ops::{Add, Deref, DerefMut};
use std::pin::pin;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Manager, Metrics, Object, PoolError, RecycleResult, TimeoutType, Timeouts};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{ConnectOptions, Connection, FromRow, PgConnection, Postgres, SqlSafeStr};
use ttm_kernel::Connections;

use super::Server;

/// How long a call waits for a free session, for a new one, and for the first answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Longer calls are waited for in slices.
const SLICE: Duration = Duration::from_secs(1);

/// The server ends the session of a client that says nothing for ten seconds in the middle of a transaction: one that is frozen, or
/// cut off, would hold its locks for hours. It is less than a lease lasts, so that another process can take over then.
const WRITE: &str = "BEGIN; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '2s'; \
     SET LOCAL idle_in_transaction_session_timeout = '10s'";
const READ: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '2s'; \
     SET LOCAL idle_in_transaction_session_timeout = '10s'";

/// An unnamed statement.
pub fn query<'q>(sql: impl SqlSafeStr) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(sql).persistent(false)
}

/// An unnamed statement whose rows are tuples.
pub fn query_as<'q, O>(sql: impl SqlSafeStr) -> QueryAs<'q, Postgres, O, PgArguments>
where
    O: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(sql).persistent(false)
}

/// An unnamed statement of one column.
pub fn query_scalar<'q, O>(sql: impl SqlSafeStr) -> QueryScalar<'q, Postgres, O, PgArguments>
where
    (O,): for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_scalar(sql).persistent(false)
}

/// A pool of sessions, each opened when it is first needed.
#[derive(Clone, Debug)]
pub struct Pool {
    sessions: managed::Pool<Connector>,
}

struct Connector {
    server: Server,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(f)
    }
}

impl Manager for Connector {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        self.server.options().connect().await
    }

    /// A session that the server has closed is noticed when a transaction begins.
    async fn recycle(&self, _: &mut PgConnection, _: &Metrics) -> RecycleResult<sqlx::Error> {
        Ok(())
    }
}

impl Pool {
    pub(super) fn new(server: Server, sessions: u32) -> Self {
        let limit = usize::try_from(sessions).unwrap_or(usize::MAX);
        let timeouts = Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: None };
        let pool = managed::Pool::builder(Connector { server }).max_size(limit).timeouts(timeouts);
        let sessions = pool.runtime(Runtime::Tokio1).build().expect("a runtime for the timeouts is named");
        Self { sessions }
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        self.begin_with(WRITE).await
    }

    /// Begins a transaction in which nothing can write, functions of the database included.
    pub async fn begin_read(&self) -> Result<Transaction, sqlx::Error> {
        self.begin_with(READ).await
    }

    /// `begin` must begin a transaction.
    pub(super) async fn begin_with(&self, begin: &'static str) -> Result<Transaction, sqlx::Error> {
        loop {
            let session = self.session().await?;
            let was_idle = Object::metrics(&session).recycle_count > 0;
            let mut transaction = Transaction { session: Some(session) };
            let first = sqlx::raw_sql(begin).execute(&mut *transaction);
            match Runtime::Tokio1.timeout(PATIENCE, first).await {
                Some(Ok(_)) => return Ok(transaction),
                // The server has closed it. Dropping it closes all idle ones, so the next one is new.
                Some(Err(_)) if was_idle => {}
                Some(Err(error)) => return Err(error),
                None => return Err(no_answer()),
            }
        }
    }

    async fn session(&self) -> Result<Object<Connector>, sqlx::Error> {
        self.sessions.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => sqlx::Error::PoolClosed,
            PoolError::Timeout(TimeoutType::Wait) => {
                let most = self.sessions.status().max_size;
                let busy = format!("all {most} connections were in use for {} s", PATIENCE.as_secs());
                sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, busy))
            }
            PoolError::Timeout(_) | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                no_answer()
            }
        })
    }

    /// How busy the sessions of all of these pools are.
    pub fn connections(pools: &[&Self]) -> Connections {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let each = pools.iter().map(|pool| pool.sessions.status()).map(|status| Connections {
            in_use: number(status.size.saturating_sub(status.available)),
            max: number(status.max_size),
        });
        each.fold(Connections { in_use: 0, max: 0 }, Add::add)
    }

    /// Opens no more sessions, and closes the idle ones gracefully.
    pub async fn close(&self) {
        let idle = self.sessions.retain(|_, _| false).removed;
        self.sessions.close();
        goodbye(idle).await;
    }

    /// Closes the idle sessions gracefully; the next transaction opens a new one.
    pub async fn forget(&self) {
        goodbye(self.sessions.retain(|_, _| false).removed).await;
    }
}

async fn goodbye(idle: Vec<PgConnection>) {
    for session in idle {
        // A session that is already lost needs no goodbye.
        let _ = Runtime::Tokio1.timeout(PATIENCE, session.close()).await;
    }
}

/// Bounds a whole call, which a frozen server would block forever. A pause of this process takes a second of its time at most: of a call
/// that has asked several times, the answer that came meanwhile is not the last one.
///
/// # Errors
/// Those of the call, or that there was no answer in time.
pub async fn answered<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let mut call = pin!(call);
    let mut left = limit;
    loop {
        // Whatever passes meanwhile, no more than this has passed.
        let slice = left.min(SLICE);
        if let Some(answer) = Runtime::Tokio1.timeout(slice, call.as_mut()).await {
            return answer;
        }
        left -= slice;
        if left.is_zero() {
            return Err(no_answer_within(limit));
        }
    }
}

fn no_answer() -> sqlx::Error {
    no_answer_within(PATIENCE)
}

fn no_answer_within(limit: Duration) -> sqlx::Error {
    let seconds = limit.as_secs();
    let message = format!("no answer within {seconds} s");
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, message))
}

/// A transaction. Dropping it closes its session, which rolls it back.
#[must_use = "a transaction that is not committed is rolled back"]
pub struct Transaction {
    session: Option<Object<Connector>>,
}

impl Transaction {
    /// Commits, and returns the session to the pool.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(&mut *self).await?;
        self.session = None;
        Ok(())
    }
}

const OPEN: &str = "a transaction has its session until it ends";

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.session.as_ref().expect(OPEN)
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.session.as_mut().expect(OPEN)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let pool = Object::pool(&session);
            drop(Object::take(session));
            if let Some(pool) = pool {
                pool.retain(|_, _| false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call that asks twice, and whose process is paused for this long before the first answer is read: how long it is waited for.
    async fn paused(pause: Duration, second: Duration) -> Result<(), sqlx::Error> {
        let asked = async {
            tokio::time::advance(pause).await;
            Runtime::Tokio1.timeout(second, std::future::pending::<()>()).await;
            Ok(())
        };
        answered(4 * SLICE, asked).await
    }

    #[test]
    fn a_pause_of_the_process_takes_a_second_of_a_call_at_most() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            for pause in [Duration::ZERO, Duration::from_mins(1)] {
                paused(pause, 2 * SLICE + SLICE / 2).await.expect("it has that long");
                paused(pause, 4 * SLICE + SLICE / 2).await.expect_err("nobody waits for that");
            }
        });
    }
}
