//! Makes the tokens that an origin owns those of its listing, inside the transaction of its caller. It does not know who
//! listed them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::PgConnection;
use ttm_market::{Followed, Mint, Origin, TokenStatus};
use ttm_sqlx_pool::postgres::{Pool, Time, query, query_scalar};

use crate::convert;

/// Not `<> ALL`, which compares every token with every mint.
const REMOVE: &str = "DELETE FROM token WHERE origin = $1 AND NOT EXISTS \
     (SELECT FROM unnest($2::bytea[]) AS listed (mint) WHERE listed.mint = token.mint)";

/// What another process adds meanwhile is left to its owner.
const ADD: &str = "INSERT INTO token (mint, status, first_seen, origin) \
     SELECT listed.mint, $3, $4, $1 FROM unnest($2::bytea[]) AS listed (mint) \
     WHERE NOT EXISTS (SELECT FROM token WHERE token.mint = listed.mint) ON CONFLICT DO NOTHING";

const COUNT: &str = "SELECT count(*) FROM token WHERE origin = $1";

pub(crate) async fn follow(
    tx: &mut PgConnection,
    origin: Origin,
    listed: BTreeSet<&Mint>,
    at: Timestamp,
) -> Result<Followed, sqlx::Error> {
    let listed: Vec<&[u8]> = listed.into_iter().map(|mint| mint.as_bytes().as_slice()).collect();
    let remove = query(REMOVE).bind(origin.as_str()).bind(&listed);
    let removed = remove.execute(&mut *tx).await?.rows_affected();
    let kept = query_scalar::<i64>(COUNT).bind(origin.as_str()).fetch_one(&mut *tx).await?;
    let kept = kept.unsigned_abs();
    let add = query(ADD).bind(origin.as_str()).bind(&listed).bind(TokenStatus::Monitored.as_str());
    let added = add.bind(Time(at)).execute(&mut *tx).await?.rows_affected();
    let others = (listed.len() as u64).saturating_sub(added + kept);
    Ok(Followed { added, removed, kept, others })
}

pub(crate) async fn owned(pool: &Pool, origin: Origin) -> Result<Vec<Mint>, sqlx::Error> {
    let mut tx = pool.begin_read().await?;
    let rows = query("SELECT mint FROM token WHERE origin = $1").bind(origin.as_str());
    let rows = rows.fetch_all(&mut *tx).await?;
    tx.commit().await?;
    rows.iter().map(convert::mint).collect()
}
