//! Makes the tokens that an origin owns those of its listing, inside the transaction of its caller. It does not know who
//! listed them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::{Sqlite, SqlitePool, Transaction};
use ttm_market::{Followed, Mint, Origin, TokenStatus};

use crate::convert;

pub(crate) async fn follow(
    tx: &mut Transaction<'static, Sqlite>,
    origin: Origin,
    listed: BTreeSet<&Mint>,
    at: Timestamp,
) -> Result<Followed, sqlx::Error> {
    let owned = sqlx::query_scalar::<_, Vec<u8>>("SELECT mint FROM token WHERE origin = ?1")
        .bind(origin.as_str())
        .fetch_all(&mut **tx)
        .await?;
    let owned: BTreeSet<&[u8]> = owned.iter().map(Vec::as_slice).collect();
    let listed: BTreeSet<&[u8]> = listed.into_iter().map(|mint| mint.as_bytes().as_slice()).collect();
    let mut followed = Followed { kept: owned.intersection(&listed).count() as u64, ..Followed::default() };
    for mint in owned.difference(&listed) {
        let query = sqlx::query("DELETE FROM token WHERE mint = ?1").bind(*mint);
        followed.removed += query.execute(&mut **tx).await?.rows_affected();
    }
    for mint in listed.difference(&owned) {
        let new = sqlx::query(
            "INSERT INTO token (mint, status, first_seen, origin) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )
        .bind(*mint)
        .bind(TokenStatus::Monitored.as_str())
        .bind(at.as_microsecond())
        .bind(origin.as_str())
        .execute(&mut **tx)
        .await?
        .rows_affected();
        followed.added += new;
        followed.others += 1 - new;
    }
    Ok(followed)
}

pub(crate) async fn owned(pool: &SqlitePool, origin: Origin) -> Result<Vec<Mint>, sqlx::Error> {
    let rows = sqlx::query("SELECT mint FROM token WHERE origin = ?1").bind(origin.as_str());
    rows.fetch_all(pool).await?.iter().map(convert::mint).collect()
}
