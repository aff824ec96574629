//! The token store: one transaction per call. Retrying is up to the caller.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Connections, Epoch, FencingToken, StoreError};
use ttm_market::{Added, Followed, Mint, Origin, Token, TokenStatus, TokenStore};
use ttm_sqlx_pool::postgres::{Pool, Server, Time, query, query_as, query_scalar, store_error};

use crate::fence::{NEXT_EPOCH, REVISION, Writer, may_write};
use crate::follow::commit_edit;
use crate::schema::SCHEMA;
use crate::{
    OpenError, PostgresAlertStore, PostgresBreakerStore, PostgresLease, PostgresRecoveryLedger, columns,
    convert, follow,
};

/// A save of tokens, a save of breakers, an append to the ledger, a commit of alerts, and a read of the revision or a page of
/// tokens at the same time.
const CONNECTIONS: u32 = 5;

/// A token store in a PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresTokenStore {
    pool: Pool,
    lease: Option<Arc<PostgresLease>>,
}

impl PostgresTokenStore {
    /// Connects to the server at this URL and migrates the schema.
    ///
    /// The URL is in libpq's format, as in `postgres://user:password@host:5432/database?sslmode=require`; the password may
    /// also come from the standard password file. A remote server's certificate is verified unless the URL sets `sslmode`.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let server = Server::parse(url)?;
        server.migrate(&SCHEMA).await?;
        Ok(Self { pool: server.pool(CONNECTIONS), lease: None })
    }

    /// Connects to a server whose schema must be up to date; creates and changes nothing.
    pub async fn open_existing(url: &str) -> Result<Self, OpenError> {
        let server = Server::parse(url)?;
        server.check_schema(&SCHEMA).await?;
        Ok(Self { pool: server.pool(CONNECTIONS), lease: None })
    }

    /// Grants epochs only to the holder of this lease, which must be in the same database. Without a lease the caller must
    /// make sure that it is the only one to claim.
    #[must_use]
    pub fn with_lease(self, lease: Arc<PostgresLease>) -> Self {
        Self { lease: Some(lease), ..self }
    }

    /// Checks that a URL can be parsed; does not connect and needs no runtime.
    ///
    /// # Errors
    /// What is wrong with the URL, without quoting any part of it.
    pub fn check(url: &str) -> Result<(), OpenError> {
        Server::parse(url).map(drop)
    }

    /// The breaker store in the same database, fenced by the same epochs.
    pub fn breakers(&self) -> PostgresBreakerStore {
        PostgresBreakerStore { pool: self.pool.clone() }
    }

    /// The ledger of recoveries in the same database, fenced by the same epochs.
    pub fn recoveries(&self) -> PostgresRecoveryLedger {
        PostgresRecoveryLedger { pool: self.pool.clone() }
    }

    /// The store of alerts in the same database, fenced by the same epochs.
    pub fn alerts(&self) -> PostgresAlertStore {
        PostgresAlertStore { pool: self.pool.clone() }
    }

    /// None if another process holds the lease.
    async fn next_epoch(&self) -> Result<Option<i64>, sqlx::Error> {
        // The row is returned before its commit, so the claim needs its own transaction to know when it is durable.
        let mut tx = self.pool.begin().await?;
        if let Some(lease) = &self.lease
            && !lease.is_mine(&mut tx).await?
        {
            return Ok(None);
        }
        let epoch = query_scalar(NEXT_EPOCH);
        let epoch: i64 = epoch.fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(Some(epoch))
    }

    /// Stores nothing under a fencing token that is not the newest one.
    async fn write(
        &self,
        under: FencingToken,
        tokens: &[Token],
    ) -> Result<Result<(), StoreError>, sqlx::Error> {
        // One state per token, the last one; in order, so that two writers wait for each other instead of deadlocking.
        let latest: BTreeMap<&Mint, &Token> = tokens.iter().map(|token| (&token.mint, token)).collect();
        let latest: Vec<&Token> = latest.into_values().collect();
        let mut tx = self.pool.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Tokens, under).await? {
            return Ok(Err(refused));
        }
        columns::update(&latest)?.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    async fn insert(&self, mints: BTreeSet<&Mint>, at: Timestamp) -> Result<Added, sqlx::Error> {
        let mints: Vec<&[u8]> = mints.into_iter().map(|mint| mint.as_bytes().as_slice()).collect();
        let mut tx = self.pool.begin().await?;
        let new = query(
            "INSERT INTO token (mint, status, first_seen) \
             SELECT mint, $2, $3 FROM unnest($1::bytea[]) AS mint ON CONFLICT DO NOTHING",
        )
        .bind(&mints)
        .bind(TokenStatus::Monitored.as_str())
        .bind(Time(at))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        // A token that is added by hand outlives the listing that brought it.
        query("UPDATE token SET origin = NULL WHERE mint = ANY($1) AND origin IS NOT NULL")
            .bind(&mints)
            .execute(&mut *tx)
            .await?;
        let revived = query("UPDATE token SET status = $2 WHERE mint = ANY($1) AND status = $3")
            .bind(&mints)
            .bind(TokenStatus::Monitored.as_str())
            .bind(TokenStatus::Archived.as_str())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        commit_edit(tx, new + revived).await?;
        Ok(Added { new, revived, known: mints.len() as u64 - new - revived })
    }

    async fn delete(&self, mints: &[Mint]) -> Result<u64, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let removed = query("DELETE FROM token WHERE mint = ANY($1)")
            .bind(mints.iter().map(|mint| mint.as_bytes().as_slice()).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        commit_edit(tx, removed).await?;
        Ok(removed)
    }

    async fn edits(&self) -> Result<(i64, i64), sqlx::Error> {
        let mut tx = self.pool.begin_read().await?;
        let both = query_as(REVISION).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(both)
    }

    async fn page(&self, after: &[u8], limit: i64) -> Result<Vec<Token>, sqlx::Error> {
        let mut tx = self.pool.begin_read().await?;
        let rows = query(convert::SELECT).bind(after).bind(limit).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        rows.iter().map(convert::token).collect()
    }
}

#[async_trait]
impl TokenStore for PostgresTokenStore {
    async fn claim(&self) -> Result<Epoch, StoreError> {
        let epoch = self.next_epoch().await.map_err(store_error)?;
        let epoch = epoch
            .map(|epoch| Epoch::new(epoch.unsigned_abs()))
            .ok_or_else(|| StoreError::transient("this process does not hold the lease on the store"))?;
        if let Some(lease) = &self.lease {
            lease.claimed(epoch);
        }
        Ok(epoch)
    }

    async fn load(&self, after: Option<Mint>, limit: usize) -> Result<Vec<Token>, StoreError> {
        // Every mint sorts after the empty one.
        let after = after.as_ref().map_or(&[][..], |mint| mint.as_bytes());
        self.page(after, i64::try_from(limit).unwrap_or(i64::MAX)).await.map_err(store_error)
    }

    async fn save(&self, under: FencingToken, tokens: &[Token]) -> Result<(), StoreError> {
        self.write(under, tokens).await.map_err(store_error)?
    }

    async fn add(&self, mints: &[Mint], at: Timestamp) -> Result<Added, StoreError> {
        self.insert(mints.iter().collect(), at).await.map_err(store_error)
    }

    async fn remove(&self, mints: &[Mint]) -> Result<u64, StoreError> {
        self.delete(mints).await.map_err(store_error)
    }

    async fn follow(
        &self,
        under: FencingToken,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError> {
        let followed = follow::follow(&self.pool, under, origin, mints.iter().copied().collect(), at).await;
        followed.map_err(store_error)?
    }

    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError> {
        follow::owned(&self.pool, origin).await.map_err(store_error)
    }

    async fn revision(&self, epoch: Epoch) -> Result<u64, StoreError> {
        let (number, newest) = self.edits().await.map_err(store_error)?;
        epoch.check_granted(Epoch::new(newest.unsigned_abs()))?;
        Ok(number.unsigned_abs())
    }

    async fn close(&self) {
        self.pool.close().await;
    }

    fn connections(&self) -> Option<Connections> {
        Some(Pool::connections(&[&self.pool]))
    }
}
