//! Makes the tokens that an origin owns match its listing, in steps of one transaction each.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ttm_kernel::{FencingToken, StoreError};
use ttm_market::{FOLLOW_STEP, Followed, Mint, Origin, TokenStatus};
use ttm_sqlx_pool::postgres::{Pool, Time, Transaction, query};

use crate::convert;
use crate::fence::{EDITED, Writer, may_write};

/// A token that another process adds in the meantime is left to its owner.
const ADD: &str = "INSERT INTO token (mint, status, first_seen, origin) \
     SELECT mint, $3, $4, $1 FROM unnest($2::bytea[]) AS mint ON CONFLICT DO NOTHING";

/// A token that was added by hand in the meantime no longer has an origin, and stays.
const REMOVE: &str = "DELETE FROM token WHERE origin = $1 AND mint = ANY($2)";

/// Follows the listing unless the fencing token is outdated, and returns what changed. Steps that were committed before an
/// error stay. Each is correct by itself, because it only adds what is listed or removes what is not, and the next call looks
/// up again what the origin owns.
pub(crate) async fn follow(
    pool: &Pool,
    under: FencingToken,
    origin: Origin,
    listed: BTreeSet<Mint>,
    at: Timestamp,
) -> Result<Result<Followed, StoreError>, sqlx::Error> {
    let owned: BTreeSet<Mint> = owned(pool, origin).await?.into_iter().collect();
    let additions: Vec<&[u8]> = listed.difference(&owned).map(|mint| &mint.as_bytes()[..]).collect();
    let removals: Vec<&[u8]> = owned.difference(&listed).map(|mint| &mint.as_bytes()[..]).collect();
    let mut followed = Followed { kept: owned.intersection(&listed).count() as u64, ..Followed::default() };
    if additions.is_empty() && removals.is_empty() {
        let mut tx = pool.begin().await?;
        let may = may_write(&mut tx, Writer::Listings, under).await?;
        tx.commit().await?;
        return Ok(may.map(|()| followed));
    }
    for some in additions.chunks(FOLLOW_STEP) {
        let mut tx = pool.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Listings, under).await? {
            return Ok(Err(refused));
        }
        let add = query(ADD).bind(origin.as_str()).bind(some).bind(TokenStatus::Monitored.as_str());
        let added = add.bind(Time(at)).execute(&mut *tx).await?.rows_affected();
        commit_edit(tx, added).await?;
        followed.added += added;
        followed.others += some.len() as u64 - added;
    }
    for some in removals.chunks(FOLLOW_STEP) {
        let mut tx = pool.begin().await?;
        if let Err(refused) = may_write(&mut tx, Writer::Listings, under).await? {
            return Ok(Err(refused));
        }
        let remove = query(REMOVE).bind(origin.as_str()).bind(some);
        let removed = remove.execute(&mut *tx).await?.rows_affected();
        commit_edit(tx, removed).await?;
        followed.removed += removed;
    }
    Ok(Ok(followed))
}

/// Commits an edit of the set of tokens, and counts it if it changed anything.
pub(crate) async fn commit_edit(mut tx: Transaction, changes: u64) -> Result<(), sqlx::Error> {
    if changes > 0 {
        query(EDITED).execute(&mut *tx).await?;
    }
    tx.commit().await
}

pub(crate) async fn owned(pool: &Pool, origin: Origin) -> Result<Vec<Mint>, sqlx::Error> {
    let mut tx = pool.begin_read().await?;
    let rows = query("SELECT mint FROM token WHERE origin = $1").bind(origin.as_str());
    let rows = rows.fetch_all(&mut *tx).await?;
    tx.commit().await?;
    rows.iter().map(convert::mint).collect()
}
