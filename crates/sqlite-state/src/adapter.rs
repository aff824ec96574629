//! The token store: one transaction per call. Retrying is up to the caller.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use ttm_kernel::{Connections, Epoch, FencingToken, StoreError, StoreLease};
use ttm_market::{Added, Followed, Mint, Origin, Token, TokenStatus, TokenStore};
use ttm_sqlx_pool::sqlite::File;
use ttm_sqlx_pool::sqlite::store_error;

use crate::fence::{NEXT_EPOCH, REVISION, Writer, may_write};
use crate::follow::commit_edit;
use crate::schema::SCHEMA;
use crate::{OpenError, SqliteAlertStore, SqliteBreakerStore, SqliteRecoveryLedger, convert, follow};

/// Enough for a page of tokens and the revision, with room for the command line.
const READERS: u32 = 2;

/// A token store in an SQLite file.
#[derive(Clone)]
pub struct SqliteTokenStore {
    file: File,
    lease: Option<Arc<dyn StoreLease>>,
}

impl SqliteTokenStore {
    /// Opens the file, creates it if there is none, and migrates its schema. The folder must exist.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { file: File::open(path.as_ref(), &SCHEMA, READERS).await?, lease: None })
    }

    /// Checks, without creating or changing anything, whether the path is a database or can become one.
    ///
    /// # Errors
    /// What is wrong with the path.
    pub fn check(path: impl AsRef<Path>) -> Result<(), OpenError> {
        ttm_sqlx_pool::sqlite::check(path.as_ref())
    }

    /// Opens a file whose schema must be up to date; creates and changes nothing.
    pub async fn open_existing(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { file: File::open_existing(path.as_ref(), &SCHEMA, READERS).await?, lease: None })
    }

    /// Grants epochs only while this lease is valid. Without a lease the caller must make sure that it is the only one to
    /// claim.
    #[must_use]
    pub fn with_lease(self, lease: Arc<dyn StoreLease>) -> Self {
        Self { lease: Some(lease), ..self }
    }

    /// The breaker store in the same file, fenced by the same epochs.
    pub fn breakers(&self) -> SqliteBreakerStore {
        SqliteBreakerStore { file: self.file.clone() }
    }

    /// The ledger of recoveries in the same file, fenced by the same epochs.
    pub fn recoveries(&self) -> SqliteRecoveryLedger {
        SqliteRecoveryLedger { file: self.file.clone() }
    }

    /// The store of alerts in the same file, fenced by the same epochs.
    pub fn alerts(&self) -> SqliteAlertStore {
        SqliteAlertStore { file: self.file.clone() }
    }

    async fn next_epoch(&self) -> Result<i64, sqlx::Error> {
        let mut tx = self.file.begin().await?;
        let epoch = sqlx::query_scalar(NEXT_EPOCH).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(epoch)
    }

    async fn page(&self, after: &[u8], limit: i64) -> Result<Vec<Token>, sqlx::Error> {
        let rows =
            sqlx::query(convert::SELECT).bind(after).bind(limit).fetch_all(self.file.readers()).await?;
        rows.iter().map(convert::token).collect()
    }

    /// Stores nothing under a fencing token that is not the newest one.
    async fn write(
        &self,
        under: FencingToken,
        tokens: &[Token],
    ) -> Result<Result<(), StoreError>, sqlx::Error> {
        let mut tx = self.file.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Tokens, under).await? {
            return Ok(Err(refused));
        }
        for token in tokens {
            convert::update(token)?.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(Ok(()))
    }

    async fn insert(&self, mints: BTreeSet<&Mint>, at: Timestamp) -> Result<Added, sqlx::Error> {
        let mut added = Added { new: 0, revived: 0, known: 0 };
        let mut tx = self.file.begin().await?;
        for mint in mints {
            let mint = mint.as_bytes().as_slice();
            let new = sqlx::query(
                "INSERT INTO token (mint, status, first_seen) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )
            .bind(mint)
            .bind(TokenStatus::Monitored.as_str())
            .bind(at.as_microsecond())
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if new > 0 {
                added.new += 1;
                continue;
            }
            // A token that is added by hand outlives the listing that brought it.
            sqlx::query("UPDATE token SET origin = NULL WHERE mint = ?1 AND origin IS NOT NULL")
                .bind(mint)
                .execute(&mut *tx)
                .await?;
            let revived = sqlx::query("UPDATE token SET status = ?2 WHERE mint = ?1 AND status = ?3")
                .bind(mint)
                .bind(TokenStatus::Monitored.as_str())
                .bind(TokenStatus::Archived.as_str())
                .execute(&mut *tx)
                .await?
                .rows_affected();
            added.revived += revived;
            added.known += 1 - revived;
        }
        commit_edit(tx, added.new + added.revived).await?;
        Ok(added)
    }

    async fn delete(&self, mints: BTreeSet<&Mint>) -> Result<u64, sqlx::Error> {
        let mut removed = 0;
        let mut tx = self.file.begin().await?;
        for mint in mints {
            let query = sqlx::query("DELETE FROM token WHERE mint = ?1").bind(mint.as_bytes().as_slice());
            removed += query.execute(&mut *tx).await?.rows_affected();
        }
        commit_edit(tx, removed).await?;
        Ok(removed)
    }
}

impl fmt::Debug for SqliteTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTokenStore").field("file", &self.file).finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenStore for SqliteTokenStore {
    async fn claim(&self) -> Result<Epoch, StoreError> {
        if self.lease.as_ref().is_some_and(|lease| !lease.stands()) {
            return Err(StoreError::transient("this process does not hold the lease on the store"));
        }
        let epoch = self.next_epoch().await.map_err(store_error)?;
        Ok(Epoch::new(epoch.unsigned_abs()))
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
        self.delete(mints.iter().collect()).await.map_err(store_error)
    }

    async fn follow(
        &self,
        under: FencingToken,
        origin: Origin,
        mints: &[Mint],
        at: Timestamp,
    ) -> Result<Followed, StoreError> {
        let followed = follow::follow(&self.file, under, origin, mints.iter().copied().collect(), at).await;
        followed.map_err(store_error)?
    }

    async fn owned(&self, origin: Origin) -> Result<Vec<Mint>, StoreError> {
        follow::owned(self.file.readers(), origin).await.map_err(store_error)
    }

    async fn revision(&self, epoch: Epoch) -> Result<u64, StoreError> {
        let both = sqlx::query_as::<_, (i64, i64)>(REVISION).fetch_one(self.file.readers()).await;
        let (number, newest) = both.map_err(store_error)?;
        epoch.check_granted(Epoch::new(newest.unsigned_abs()))?;
        Ok(number.unsigned_abs())
    }

    async fn close(&self) {
        self.file.close().await;
    }

    fn connections(&self) -> Option<Connections> {
        Some(self.file.connections())
    }
}
