//! Converts between a token and its row. Values that no token can have are refused here, in both directions.

use jiff::Timestamp;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite};
use ttm_market::{Basis, Components, Mint, Score, ScoreState, Smoothed, Token, TokenStatus, Unlisted};
use ttm_sqlx_pool::sqlite::time;

type Update = Query<'static, Sqlite, SqliteArguments>;

/// All columns, in the order of [`bind`] and [`token`].
pub(crate) const SELECT: &str = "SELECT mint, symbol, status, first_seen, \
     raw_tx_accel, raw_vol_momentum, raw_freshness, raw_orderflow, raw_value, \
     smoothed_tx_accel, smoothed_vol_momentum, smoothed_freshness, smoothed_orderflow, smoothed_value, \
     basis, listed_at, pools, scored_at, below_since, misses, ask_again_at \
     FROM token WHERE mint > ?1 ORDER BY mint LIMIT ?2";

pub(crate) const UPDATE: &str = "UPDATE token SET symbol = ?2, status = ?3, first_seen = ?4, \
     raw_tx_accel = ?5, raw_vol_momentum = ?6, raw_freshness = ?7, raw_orderflow = ?8, raw_value = ?9, \
     smoothed_tx_accel = ?10, smoothed_vol_momentum = ?11, smoothed_freshness = ?12, smoothed_orderflow = ?13, \
     smoothed_value = ?14, basis = ?15, listed_at = ?16, pools = ?17, scored_at = ?18, below_since = ?19, \
     misses = ?20, ask_again_at = ?21 WHERE mint = ?1";

/// Binds this token to [`UPDATE`].
pub(crate) fn update(token: &Token) -> Result<Update, sqlx::Error> {
    let mut query = sqlx::query(UPDATE)
        .bind(token.mint.as_bytes().to_vec())
        .bind(token.symbol.as_deref().map(str::to_owned))
        .bind(token.status.as_str())
        .bind(token.first_seen.as_microsecond());
    let score = token.score.as_ref();
    for number in score.map_or([None; 10], |score| numbers(score).map(Some)) {
        // SQLite would store NaN as NULL.
        if number.is_some_and(|number| !number.is_finite()) {
            return Err(sqlx::Error::Encode(format!("the score of {} is not finite", token.mint).into()));
        }
        query = query.bind(number);
    }
    let listed_at = score.and_then(|score| match score.basis {
        Basis::Primary => None,
        Basis::All { listed_at } => Some(listed_at.as_microsecond()),
    });
    Ok(query
        .bind(score.map(|score| score.basis.as_str()))
        .bind(listed_at)
        .bind(score.map(|score| i64::from(score.pools)))
        .bind(score.map(|score| score.at.as_microsecond()))
        .bind(token.below_since.map(Timestamp::as_microsecond))
        .bind(token.unlisted.map(|unlisted| i64::from(unlisted.misses)))
        .bind(token.unlisted.map(|unlisted| unlisted.ask_again_at.as_microsecond())))
}

/// The ten numbers of a score, in the order of the columns.
fn numbers(score: &ScoreState) -> [f64; 10] {
    let (raw, smoothed) = (&score.raw.components, &score.smoothed.components);
    [
        raw.tx_accel,
        raw.vol_momentum,
        raw.freshness,
        raw.orderflow,
        score.raw.value,
        smoothed.tx_accel,
        smoothed.vol_momentum,
        smoothed.freshness,
        smoothed.orderflow,
        score.smoothed.value,
    ]
}

/// Reads the mint from the first column of a row.
pub(crate) fn mint(row: &SqliteRow) -> Result<Mint, sqlx::Error> {
    let mint: Vec<u8> = row.try_get(0)?;
    mint.try_into().map(Mint::from_bytes).map_err(|_| broken("a mint that is not 32 bytes long"))
}

/// Reads a token from a row of [`SELECT`].
pub(crate) fn token(row: &SqliteRow) -> Result<Token, sqlx::Error> {
    let status: &str = row.try_get(2)?;
    let misses: Option<u32> = row.try_get(19)?;
    Ok(Token {
        mint: mint(row)?,
        symbol: row.try_get::<Option<String>, _>(1)?.map(String::into_boxed_str),
        status: TokenStatus::parse(status).ok_or_else(|| broken("an unknown status"))?,
        first_seen: time(row.try_get(3)?)?,
        score: score(row)?,
        below_since: row.try_get::<Option<i64>, _>(18)?.map(time).transpose()?,
        unlisted: match misses {
            None => None,
            Some(misses) => Some(Unlisted { misses, ask_again_at: time(row.try_get(20)?)? }),
        },
    })
}

fn score(row: &SqliteRow) -> Result<Option<ScoreState>, sqlx::Error> {
    let basis = match row.try_get::<Option<&str>, _>(14)? {
        None => return Ok(None),
        Some("primary") => Basis::Primary,
        Some("all") => Basis::All { listed_at: time(row.try_get(15)?)? },
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
        pools: row.try_get(16)?,
        at: time(row.try_get(17)?)?,
    }))
}

fn broken(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}
