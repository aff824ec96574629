//! Tokens as columns, the way `UNNEST` takes them. It does not know in which transaction.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use ttm_market::{Basis, ScoreState, Token};
use ttm_sqlx_pool::postgres::Time;

/// How many columns are numbers of a score.
const NUMBERS: usize = 10;

/// Overwrites the tokens that are there; the others are not brought back.
const UPDATE: &str = "UPDATE token SET symbol = new.symbol, status = new.status, first_seen = new.first_seen, \
     raw_tx_accel = new.raw_tx_accel, raw_vol_momentum = new.raw_vol_momentum, raw_freshness = new.raw_freshness, \
     raw_orderflow = new.raw_orderflow, raw_value = new.raw_value, smoothed_tx_accel = new.smoothed_tx_accel, \
     smoothed_vol_momentum = new.smoothed_vol_momentum, smoothed_freshness = new.smoothed_freshness, \
     smoothed_orderflow = new.smoothed_orderflow, smoothed_value = new.smoothed_value, basis = new.basis, \
     listed_at = new.listed_at, pools = new.pools, scored_at = new.scored_at, below_since = new.below_since, \
     misses = new.misses, ask_again_at = new.ask_again_at \
     FROM unnest($1::bytea[], $2::text[], $3::text[], $4::timestamptz[], $5::float8[], $6::float8[], $7::float8[], \
     $8::float8[], $9::float8[], $10::float8[], $11::float8[], $12::float8[], $13::float8[], $14::float8[], \
     $15::text[], $16::timestamptz[], $17::int8[], $18::timestamptz[], $19::timestamptz[], $20::int8[], \
     $21::timestamptz[]) AS new (mint, symbol, status, first_seen, raw_tx_accel, raw_vol_momentum, raw_freshness, \
     raw_orderflow, raw_value, smoothed_tx_accel, smoothed_vol_momentum, smoothed_freshness, smoothed_orderflow, \
     smoothed_value, basis, listed_at, pools, scored_at, below_since, misses, ask_again_at) \
     WHERE token.mint = new.mint";

/// A statement with its arguments.
pub(crate) type Statement<'a> = Query<'a, Postgres, PgArguments>;

/// The update that stores the state of these tokens, all of different mints.
pub(crate) fn update<'a>(tokens: &[&'a Token]) -> Result<Statement<'a>, sqlx::Error> {
    fn column<'a, T>(tokens: &[&'a Token], field: impl Fn(&'a Token) -> T) -> Vec<T> {
        tokens.iter().map(|token| field(token)).collect()
    }
    let score = |token: &Token| token.score;
    let finite = |score: &ScoreState| numbers(score).iter().all(|number| number.is_finite());
    if let Some(token) = tokens.iter().find(|token| !token.score.as_ref().is_none_or(finite)) {
        return Err(sqlx::Error::Encode(format!("the score of {} is not finite", token.mint).into()));
    }
    let mut query = ttm_sqlx_pool::postgres::query(UPDATE)
        .bind(column(tokens, |token| token.mint.as_bytes().as_slice()))
        .bind(column(tokens, |token| token.symbol.as_deref()))
        .bind(column(tokens, |token| token.status.as_str()))
        .bind(column(tokens, |token| Time(token.first_seen)));
    for index in 0..NUMBERS {
        query = query.bind(column(tokens, |token| score(token).map(|score| numbers(&score)[index])));
    }
    let listed_at = |score: ScoreState| match score.basis {
        Basis::Primary => None,
        Basis::All { listed_at } => Some(Time(listed_at)),
    };
    Ok(query
        .bind(column(tokens, |token| score(token).map(|score| score.basis.as_str())))
        .bind(column(tokens, |token| score(token).and_then(listed_at)))
        .bind(column(tokens, |token| score(token).map(|score| i64::from(score.pools))))
        .bind(column(tokens, |token| score(token).map(|score| Time(score.at))))
        .bind(column(tokens, |token| token.below_since.map(Time)))
        .bind(column(tokens, |token| token.unlisted.map(|unlisted| i64::from(unlisted.misses))))
        .bind(column(tokens, |token| token.unlisted.map(|unlisted| Time(unlisted.ask_again_at)))))
}

/// The numbers of a score, in the order of the columns.
fn numbers(score: &ScoreState) -> [f64; NUMBERS] {
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
