//! From a row to a token. Values that no token has are refused here.

use sqlx::Row;
use sqlx::postgres::PgRow;
use ttm_market::{Basis, Components, Mint, Score, ScoreState, Smoothed, Token, TokenStatus, Unlisted};
use ttm_sqlx_pool::postgres::Time;

/// All columns, in the order of [`token`].
pub(crate) const SELECT: &str = "SELECT mint, symbol, status, first_seen, \
     raw_tx_accel, raw_vol_momentum, raw_freshness, raw_orderflow, raw_value, \
     smoothed_tx_accel, smoothed_vol_momentum, smoothed_freshness, smoothed_orderflow, smoothed_value, \
     basis, listed_at, pools, scored_at, below_since, misses, ask_again_at \
     FROM token WHERE mint > $1 ORDER BY mint LIMIT $2";

/// Reads the mint from the first column of a row.
pub(crate) fn mint(row: &PgRow) -> Result<Mint, sqlx::Error> {
    let mint: &[u8] = row.try_get(0)?;
    mint.try_into().map(Mint::from_bytes).map_err(|_| broken("a mint that is not 32 bytes long"))
}

/// Reads a token from a row of [`SELECT`].
pub(crate) fn token(row: &PgRow) -> Result<Token, sqlx::Error> {
    Ok(Token {
        mint: mint(row)?,
        symbol: row.try_get::<Option<&str>, _>(1)?.map(Box::from),
        status: TokenStatus::parse(row.try_get(2)?).ok_or_else(|| broken("an unknown status"))?,
        first_seen: row.try_get::<Time, _>(3)?.0,
        score: score(row)?,
        below_since: row.try_get::<Option<Time>, _>(18)?.map(|time| time.0),
        unlisted: match row.try_get(19)? {
            None => None,
            Some(misses) => {
                Some(Unlisted { misses: count(misses)?, ask_again_at: row.try_get::<Time, _>(20)?.0 })
            }
        },
    })
}

fn score(row: &PgRow) -> Result<Option<ScoreState>, sqlx::Error> {
    let basis = match row.try_get::<Option<&str>, _>(14)? {
        None => return Ok(None),
        Some("primary") => Basis::Primary,
        Some("all") => Basis::All { listed_at: row.try_get::<Time, _>(15)?.0 },
        Some(_) => return Err(broken("an unknown basis")),
    };
    let components = |first: usize| -> Result<Components, sqlx::Error> {
        Ok(Components {
            tx_accel: row.try_get(first)?,
            vol_momentum: row.try_get(first + 1)?,
            freshness: row.try_get(first + 2)?,
            orderflow: row.try_get(first + 3)?,
        })
    };
    Ok(Some(ScoreState {
        raw: Score { components: components(4)?, value: row.try_get(8)? },
        smoothed: Smoothed { components: components(9)?, value: row.try_get(13)? },
        basis,
        pools: count(row.try_get(16)?)?,
        at: row.try_get::<Time, _>(17)?.0,
    }))
}

fn count(number: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(number).map_err(|_| broken("a count is out of range"))
}

fn broken(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}
