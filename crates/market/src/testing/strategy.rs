//! Strategies for property tests: whatever the domain types can hold, and near their edges more often than chance. They
//! know no store and no API.

use std::ops::Range;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{
    Basis, Components, Mint, Pair, Score, ScoreInputs, ScoreState, Smoothed, Token, TokenRef, TokenStatus,
    Trades, Unlisted,
};

/// Any mint.
pub fn mint() -> impl Strategy<Value = Mint> {
    any::<[u8; 32]>().prop_map(Mint::from_bytes)
}

/// Any time of the years 2000 to 2099, to the microsecond.
pub fn timestamp() -> impl Strategy<Value = Timestamp> {
    const YEARS: Range<i64> = 946_684_800_000_000..4_102_444_800_000_000;
    YEARS.prop_map(|micros| Timestamp::from_microsecond(micros).expect("these years are in the calendar"))
}

/// Any float at all: NaN, infinities, subnormals and both zeros included.
pub fn any_f64() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<u64>().prop_map(f64::from_bits),
        4 => -1e6..1e6_f64,
        1 => select(vec![0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE]),
    ]
}

/// Inputs of a score as a market has them.
pub fn score_inputs() -> impl Strategy<Value = ScoreInputs> {
    (trades(), trades(), money(), money(), money()).prop_map(
        |(recent, hour, volume_5m, volume_1h, liquidity)| {
            let (buys, sells) = (recent.buys as f64, recent.sells as f64);
            let share = |side: f64| if buys + sells > 0.0 { volume_5m * side / (buys + sells) } else { 0.0 };
            ScoreInputs {
                buys_5m: buys,
                sells_5m: sells,
                trades_1h: hour.total() as f64,
                trades_5m: recent.total() as f64,
                volume_5m_usd: volume_5m,
                buy_volume_5m_usd: share(buys),
                sell_volume_5m_usd: share(sells),
                volume_1h_usd: volume_1h,
                liquidity_usd: liquidity,
            }
        },
    )
}

/// Counts of trades, zero often enough.
pub fn trades() -> impl Strategy<Value = Trades> {
    let count = || prop_oneof![1 => Just(0_u64), 4 => 1_u64..5_000];
    (count(), count()).prop_map(|(buys, sells)| Trades { buys, sells })
}

/// An amount of dollars, zero often enough.
fn money() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 4 => 0.01..1_000.0_f64, 4 => 1_000.0..5e6_f64]
}

/// The address of a pool. There are few of them, so that pools meet again.
pub fn pair_address() -> impl Strategy<Value = Box<str>> {
    (0..12_u8).prop_map(|number| format!("pool-{number}").into())
}

/// A pool whose base is `base`.
pub fn pair(base: Mint) -> impl Strategy<Value = Pair> {
    let dex = select(vec!["raydium", "pumpfun", "pumpswap", "launchlab", "meteora", "orca"]);
    let quote = prop_oneof![4 => Just(Mint::WSOL), 2 => Just(Mint::USDC), 1 => mint()];
    // Around the minimum of 500 USD more often than elsewhere.
    let liquidity = option::weighted(0.8, prop_oneof![Just(500.0), 400.0..600.0_f64, money()]);
    let price = option::weighted(0.9, 1e-9..1e3_f64);
    let created = option::weighted(0.9, timestamp());
    let symbol = select(vec!["", "CAT", "DOG", "ПИРОГ"]);
    (pair_address(), dex, quote, symbol, price, (trades(), trades(), money(), money()), liquidity, created)
        .prop_map(move |(address, dex, quote, symbol, price_usd, activity, liquidity_usd, created_at)| Pair {
            address,
            dex: dex.into(),
            base: TokenRef { mint: base, symbol: symbol.into() },
            quote,
            price_usd,
            trades_5m: activity.0,
            trades_1h: activity.1,
            volume_5m_usd: activity.2,
            volume_1h_usd: activity.3,
            liquidity_usd,
            created_at,
        })
}

/// The pools of `base`, some of them listed twice.
pub fn pairs(base: Mint) -> impl Strategy<Value = Vec<Pair>> {
    vec(pair(base), 0..6)
}

fn components() -> impl Strategy<Value = Components> {
    (0.0..=10.0, 0.0..=15.0, 0.0..=1.0, -1.0..=1.0).prop_map(
        |(tx_accel, vol_momentum, freshness, orderflow)| Components {
            tx_accel,
            vol_momentum,
            freshness,
            orderflow,
        },
    )
}

/// The state of a score.
pub fn score_state() -> impl Strategy<Value = ScoreState> {
    let basis = prop_oneof![Just(Basis::Primary), timestamp().prop_map(|listed_at| Basis::All { listed_at })];
    let value = || -0.25..=6.75_f64;
    (components(), value(), components(), value(), basis, 0..40_u32, timestamp()).prop_map(
        |(raw, raw_value, smoothed, smoothed_value, basis, pools, at)| ScoreState {
            raw: Score { components: raw, value: raw_value },
            smoothed: Smoothed { components: smoothed, value: smoothed_value },
            basis,
            pools,
            at,
        },
    )
}

/// Any token.
pub fn token() -> impl Strategy<Value = Token> {
    mint().prop_flat_map(token_of)
}

/// A token with this mint, in any state.
pub fn token_of(mint: Mint) -> impl Strategy<Value = Token> {
    let status = select(vec![TokenStatus::Monitored, TokenStatus::Active, TokenStatus::Archived]);
    let symbol = option::of(select(vec!["CAT", "DOG'S", "ПИРОГ", "🚀", "a b\tc", "%_\\"]));
    let unlisted =
        (1..100_u32, timestamp()).prop_map(|(misses, ask_again_at)| Unlisted { misses, ask_again_at });
    let score = option::weighted(0.8, score_state());
    (symbol, status, timestamp(), score, option::of(timestamp()), option::of(unlisted)).prop_map(
        move |(symbol, status, first_seen, score, below_since, unlisted)| Token {
            mint,
            symbol: symbol.map(Into::into),
            status,
            first_seen,
            score,
            below_since,
            unlisted,
        },
    )
}
