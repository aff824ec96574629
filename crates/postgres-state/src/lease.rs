//! The lease on a database: one row that names the process that works on it.
//!
//! The time in the row is the database's, so the clocks of the machines do not matter. This process counts the validity from
//! before it sent the request, on a clock that includes suspends, so it never believes in the lease for longer than the row
//! says.

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rustix::time::{ClockId, clock_gettime};
use sqlx::PgConnection;
use ttm_kernel::{Epoch, LeaseError, StoreError, StoreErrorKind, StoreLease};
use ttm_sqlx_pool::postgres::{
    Pool, Server, Time, answered, ensure_table, is_missing_table, query, query_as, query_scalar, store_error,
};

use crate::OpenError;
use crate::fence::is_newest;
use crate::process::Process;

/// The validity in the row, as in [`TAKE`] and [`KEEP`].
const TTL: Duration = Duration::from_secs(15);
/// How much less than that this process relies on.
const MARGIN: Duration = Duration::from_secs(1);
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// The longest that one call may take: less than the time between two renewals.
const LIMIT: Duration = Duration::from_secs(4);

const MAKE: &str = "CREATE TABLE IF NOT EXISTS lease (name text NOT NULL PRIMARY KEY, holder text NOT NULL, \
     host text NOT NULL, boot text NOT NULL, pid_namespace text NOT NULL, pid integer NOT NULL, \
     pid_started bigint NOT NULL, epoch bigint NOT NULL, since timestamptz NOT NULL, \
     expires_at timestamptz NOT NULL)";

/// The row, locked. Its expiry is compared with the clock, not with the transaction's start, since the lock may have been
/// waited for.
const LOOK: &str = "SELECT holder, host, boot, pid_namespace, pid, pid_started, \
     to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), expires_at > clock_timestamp(), \
     CASE WHEN isfinite(expires_at) THEN expires_at END FROM lease WHERE name = 'store' FOR UPDATE";

/// The row without a lock, only for messages.
const SEE: &str = "SELECT holder, host, boot, pid_namespace, pid, pid_started, \
     to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), expires_at > clock_timestamp(), \
     CASE WHEN isfinite(expires_at) THEN expires_at END FROM lease WHERE name = 'store'";

/// If two processes find no row, one waits for the other here and then looks again.
const TAKE: &str = "INSERT INTO lease (name, holder, host, boot, pid_namespace, pid, pid_started, epoch, since, expires_at) \
     VALUES ('store', $1, $2, $3, $4, $5, $6, 1, clock_timestamp(), clock_timestamp() + interval '15 s') \
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, host = excluded.host, boot = excluded.boot, \
     pid_namespace = excluded.pid_namespace, pid = excluded.pid, pid_started = excluded.pid_started, \
     epoch = least(lease.epoch, 9223372036854775806) + 1, since = excluded.since, expires_at = excluded.expires_at WHERE lease.holder = $7";

const KEEP: &str = "UPDATE lease SET expires_at = clock_timestamp() + interval '15 s' \
     WHERE name = 'store' AND holder = $1";

/// Leaves a row without a holder, so that a process that has released it is told that it no longer holds anything.
const GIVE_UP: &str =
    "UPDATE lease SET holder = '', expires_at = '-infinity' WHERE name = 'store' AND holder = $1";

/// A takeover waits for the transaction that runs this query.
const MINE: &str = "SELECT holder = $1 FROM lease WHERE name = 'store' FOR SHARE";

/// What a renewal found.
enum Kept {
    Extended,
    /// Another process holds it, or has held it since.
    Lost(Option<String>),
    /// There is no row.
    Gone,
}

type Row = (String, String, String, String, i32, i64, String, bool, Option<Time>);

/// The lease on the store in a database. Each value is a separate holder.
pub struct PostgresLease {
    pool: Pool,
    holder: String,
    process: Process,
    /// Until when it is valid, in milliseconds of the clock that includes suspends.
    until: AtomicI64,
    /// The epoch that was claimed under it, 0 before that.
    epoch: AtomicU64,
}

impl PostgresLease {
    /// The lease in the database at this URL; does not connect yet.
    ///
    /// # Errors
    /// If the URL cannot be parsed.
    pub fn new(url: &str) -> Result<Self, OpenError> {
        // Random, from the system: two processes with the same id would both hold the lease. Without a source of randomness the
        // process and its start time have to do.
        let process = Process::this();
        let random = fs::read_to_string("/proc/sys/kernel/random/uuid");
        let holder = random.map_or_else(
            |_| format!("{} {} {} {}", process.host, process.boot, process.pid, process.started),
            |random| random.trim().to_owned(),
        );
        Ok(Self {
            pool: Server::parse(url)?.pool(1),
            holder,
            process,
            until: AtomicI64::new(i64::MIN),
            epoch: AtomicU64::new(0),
        })
    }

    /// Who holds it, as far as known without taking it; only for messages.
    pub async fn holder(&self) -> Option<String> {
        let see = async {
            let mut tx = self.pool.begin().await?;
            let row: Option<Row> = query_as(SEE).fetch_optional(&mut *tx).await?;
            tx.commit().await?;
            Ok(row)
        };
        let row = answered(LIMIT, Box::pin(see)).await;
        self.pool.forget().await;
        let holds = |row: &Row| row.7 && self.process.lives(&process(row)) != Some(false);
        row.ok().flatten().filter(holds).map(|row| named(&row))
    }

    /// Whether this holder has the row; remains true until the transaction ends.
    pub(crate) async fn is_mine(&self, tx: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let mine: Option<bool> = query_scalar(MINE).bind(&self.holder).fetch_optional(tx).await?;
        Ok(mine == Some(true))
    }

    /// Records the epoch that was granted to this holder.
    pub(crate) fn claimed(&self, epoch: Epoch) {
        self.epoch.store(epoch.number(), Ordering::Release);
    }

    /// Takes the lease, or returns what is in the way. A holder that already has an epoch takes it only if that epoch is the
    /// newest one: then no other process has worked here since.
    async fn take(&self, under: Option<Epoch>) -> Result<Option<LeaseError>, sqlx::Error> {
        ensure_table(&self.pool, "lease", MAKE).await?;
        loop {
            let mut tx = self.pool.begin().await?;
            if let Some(epoch) = under
                && let Err(refused) = is_newest(&mut tx, epoch).await?
            {
                return Ok(Some(match refused.kind() {
                    StoreErrorKind::Fenced { .. } => LeaseError::Lost { holder: None },
                    _ => LeaseError::Store(refused),
                }));
            }
            let row: Option<Row> = query_as(LOOK).fetch_optional(&mut *tx).await?;
            if let Some(row) = &row
                && row.0 == self.holder
            {
                query(KEEP).bind(&self.holder).execute(&mut *tx).await?;
                tx.commit().await?;
                return Ok(None);
            }
            let lives = row.as_ref().and_then(|row| self.process.lives(&process(row)));
            if let Some(row) = &row
                && row.7
                && lives != Some(false)
            {
                tx.commit().await?;
                let until = row.8.as_ref().map(|until| until.0).filter(|_| lives.is_none());
                return Ok(Some(LeaseError::Held { holder: named(row), until }));
            }
            let before = row.map(|row| row.0).unwrap_or_default();
            let Process { host, boot, namespace, pid, started } = &self.process;
            let take = query(TAKE).bind(&self.holder).bind(host).bind(boot).bind(namespace);
            let taken = take.bind(pid).bind(started).bind(before).execute(&mut *tx).await?;
            tx.commit().await?;
            if taken.rows_affected() == 1 {
                return Ok(None);
            }
        }
    }

    /// Renews the lease, or returns what is in the way. A table that was dropped is recreated and a deleted row is inserted
    /// again, since without them any process could take the store. A process that did so in the meantime has the newest epoch.
    async fn keep(&self) -> Result<Option<LeaseError>, sqlx::Error> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let under = (epoch > 0).then_some(Epoch::new(epoch));
        match self.extend().await {
            Ok(Kept::Extended) => Ok(None),
            Ok(Kept::Lost(holder)) => Ok(Some(LeaseError::Lost { holder })),
            Ok(Kept::Gone) if under.is_none() => Ok(Some(LeaseError::Lost { holder: None })),
            Ok(Kept::Gone) => self.take(under).await,
            Err(error) if is_missing_table(&error) => self.take(under).await,
            Err(error) => Err(error),
        }
    }

    async fn extend(&self) -> Result<Kept, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let extended = query(KEEP).bind(&self.holder).execute(&mut *tx).await?.rows_affected() > 0;
        let other: Option<Row> =
            if extended { None } else { query_as(LOOK).fetch_optional(&mut *tx).await? };
        tx.commit().await?;
        Ok(match other {
            _ if extended => Kept::Extended,
            None => Kept::Gone,
            Some(row) => Kept::Lost((!row.0.is_empty()).then(|| named(&row))),
        })
    }

    async fn give_up(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        query(GIVE_UP).bind(&self.holder).execute(&mut *tx).await?;
        tx.commit().await
    }

    fn granted(&self, asked: Duration) {
        self.until.store(millis(asked + TTL.saturating_sub(MARGIN)), Ordering::Release);
    }

    fn lost(&self) {
        self.until.store(i64::MIN, Ordering::Release);
    }
}

/// The time of the clock that includes suspends.
fn boot_time() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn process((_, host, boot, namespace, pid, started, ..): &Row) -> Process {
    let (host, boot, namespace) = (host.clone(), boot.clone(), namespace.clone());
    Process { host, boot, namespace, pid: *pid, started: *started }
}

fn named((_, host, _, _, pid, _, since, ..): &Row) -> String {
    format!("process {pid} on {host}, since {since}")
}

#[async_trait]
impl StoreLease for PostgresLease {
    async fn acquire(&self) -> Result<(), LeaseError> {
        let asked = boot_time();
        match answered(LIMIT, Box::pin(self.take(None))).await.map_err(store_error)? {
            None => {
                self.granted(asked);
                Ok(())
            }
            Some(held) => {
                self.lost();
                Err(held)
            }
        }
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        let asked = boot_time();
        match answered(LIMIT, Box::pin(self.keep())).await.map_err(store_error)? {
            None => {
                self.granted(asked);
                Ok(())
            }
            // The store that it was for no longer exists, and no other process has taken it over.
            Some(LeaseError::Store(replaced)) => Err(replaced.into()),
            Some(lost) => {
                self.lost();
                Err(lost)
            }
        }
    }

    async fn release(&self) -> Result<(), StoreError> {
        // Whether or not the row can be reached: from here on nothing relies on it.
        self.lost();
        let released = answered(LIMIT, Box::pin(self.give_up())).await.map_err(store_error);
        self.pool.forget().await;
        released
    }

    fn stands(&self) -> bool {
        millis(boot_time()) < self.until.load(Ordering::Acquire)
    }

    fn renew_every(&self) -> Duration {
        RENEW_EVERY
    }
}

impl fmt::Debug for PostgresLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLease").field("pool", &self.pool).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_trusted_for_a_second_less_than_it_lasts_counted_from_the_request() {
        let lease = PostgresLease::new("postgres://ann@127.0.0.1:1/ttm").expect("the URL is good");
        assert!(!lease.stands(), "nothing was granted yet");
        for (asked, stands) in [(0, true), (13, true), (14, false), (3_600, false)] {
            lease.granted(boot_time().saturating_sub(Duration::from_secs(asked)));
            assert_eq!(lease.stands(), stands, "{asked} s after it was asked for");
        }
    }
}
