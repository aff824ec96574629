//! Makes the tokens that an origin owns match its listing, in steps of one transaction each.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::{Sqlite, SqlitePool, Transaction};
use ttm_kernel::{FencingToken, StoreError};
use ttm_market::{FOLLOW_STEP, Followed, Mint, Origin, TokenStatus};
use ttm_sqlx_pool::sqlite::File;

use crate::convert;
use crate::fence::{EDITED, Writer, may_write};

/// Follows the listing unless the fencing token is outdated, and returns what changed. Steps that were committed before an
/// error stay. Each is correct by itself, because it only adds what is listed or removes what is not, and the next call looks
/// up again what the origin owns.
pub(crate) async fn follow(
    file: &File,
    under: FencingToken,
    origin: Origin,
    listed: BTreeSet<Mint>,
    at: Timestamp,
) -> Result<Result<Followed, StoreError>, sqlx::Error> {
    let owned: BTreeSet<Mint> = owned(file.readers(), origin).await?.into_iter().collect();
    let additions: Vec<&Mint> = listed.difference(&owned).collect();
    let removals: Vec<&Mint> = owned.difference(&listed).collect();
    let mut followed = Followed { kept: owned.intersection(&listed).count() as u64, ..Followed::default() };
    if additions.is_empty() && removals.is_empty() {
        let mut tx = file.begin().await?;
        let may = may_write(&mut tx, Writer::Listings, under).await?;
        tx.commit().await?;
        return Ok(may.map(|()| followed));
    }
    for some in additions.chunks(FOLLOW_STEP) {
        let mut tx = file.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Listings, under).await? {
            return Ok(Err(refused));
        }
        let added = add(&mut tx, origin, some, at).await?;
        commit_edit(tx, added).await?;
        followed.added += added;
        followed.others += some.len() as u64 - added;
    }
    for some in removals.chunks(FOLLOW_STEP) {
        let mut tx = file.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Listings, under).await? {
            return Ok(Err(refused));
        }
        let removed = remove(&mut tx, origin, some).await?;
        commit_edit(tx, removed).await?;
        followed.removed += removed;
    }
    Ok(Ok(followed))
}

async fn add(
    tx: &mut Transaction<'static, Sqlite>,
    origin: Origin,
    mints: &[&Mint],
    at: Timestamp,
) -> Result<u64, sqlx::Error> {
    let mut added = 0;
    for mint in mints {
        let insert = sqlx::query(
            "INSERT INTO token (mint, status, first_seen, origin) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )
        .bind(mint.as_bytes().as_slice())
        .bind(TokenStatus::Monitored.as_str())
        .bind(at.as_microsecond())
        .bind(origin.as_str());
        added += insert.execute(&mut **tx).await?.rows_affected();
    }
    Ok(added)
}

/// A token that was added by hand in the meantime no longer has an origin, and stays.
async fn remove(
    tx: &mut Transaction<'static, Sqlite>,
    origin: Origin,
    mints: &[&Mint],
) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    for mint in mints {
        let delete = sqlx::query("DELETE FROM token WHERE mint = ?1 AND origin = ?2")
            .bind(mint.as_bytes().as_slice())
            .bind(origin.as_str());
        removed += delete.execute(&mut **tx).await?.rows_affected();
    }
    Ok(removed)
}

/// Commits an edit of the set of tokens, and counts it if it changed anything.
pub(crate) async fn commit_edit(
    mut tx: Transaction<'static, Sqlite>,
    changes: u64,
) -> Result<(), sqlx::Error> {
    if changes > 0 {
        sqlx::query(EDITED).execute(&mut *tx).await?;
    }
    tx.commit().await
}

pub(crate) async fn owned(pool: &SqlitePool, origin: Origin) -> Result<Vec<Mint>, sqlx::Error> {
    let rows = sqlx::query("SELECT mint FROM token WHERE origin = ?1").bind(origin.as_str());
    rows.fetch_all(pool).await?.iter().map(convert::mint).collect()
}
