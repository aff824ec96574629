//! Which pools of a token count, and what they add up to. It knows neither the token's past nor where pools come from.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::score::{round6, usable_number};
use crate::{MarketConfig, Mint, Pair, ScoreInputs};

/// Exchanges on which a token is sold by a formula before it has a market; their pools never count for a score.
const BONDING_CURVES: [&str; 2] = [PUMP_FUN, "launchlab"];

/// The bonding curve that counts for activation. Its tokens move on to `pumpswap`, which is an exchange as any other.
const PUMP_FUN: &str = "pumpfun";

/// Prices within this factor of the median agree with it.
const AGREEMENT: f64 = 2.0;

/// What is to be known of a token's pools.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolSummary {
    /// Sums over the pools that count.
    pub inputs: ScoreInputs,
    /// How many pools count.
    pub pools: u32,
    /// Pools that would count with more liquidity.
    pub thin: u32,
    /// Pools of which the liquidity alone is unknown.
    pub unknown: u32,
    /// Whether there is a pump.fun pool.
    pub pump_fun: bool,
    /// Numbers that were negative or not finite, and count as 0.
    pub unusable: u32,
    /// The token's symbol, as the main pool names it.
    pub symbol: Option<Box<str>>,
}

impl PoolSummary {
    /// Whether these pools activate a token: a pump.fun pool and one that counts, or two that count.
    pub const fn activates(&self) -> bool {
        self.pools >= 2 || (self.pump_fun && self.pools == 1)
    }
}

/// Sums up the pools of `mint`.
///
/// A pool counts when its base is the mint, its quote is WSOL or USDC by address, it is no bonding curve, and its
/// liquidity is known and at least the minimum. A pool that is listed twice counts once, as first listed.
pub fn summarize(mint: Mint, pairs: &[Pair], config: &MarketConfig) -> PoolSummary {
    let mut seen = BTreeSet::new();
    let own: Vec<&Pair> =
        pairs.iter().filter(|pair| pair.base.mint == mint && seen.insert(&*pair.address)).collect();
    let mut summary = PoolSummary { symbol: symbol(&own), ..PoolSummary::default() };
    for pair in own {
        if pair.quote != Mint::WSOL && pair.quote != Mint::USDC {
            continue;
        }
        summary.pump_fun |= &*pair.dex == PUMP_FUN;
        if BONDING_CURVES.contains(&&*pair.dex) {
            continue;
        }
        match pair.liquidity_usd.map(|liquidity| usable_number(liquidity, &mut summary.unusable)) {
            None => summary.unknown += 1,
            Some(liquidity) if liquidity < config.min_liquidity_usd() => summary.thin += 1,
            Some(liquidity) => summary.add(pair, liquidity),
        }
    }
    summary.split_volume();
    summary
}

impl PoolSummary {
    fn add(&mut self, pair: &Pair, liquidity_usd: f64) {
        self.pools += 1;
        let inputs = &mut self.inputs;
        inputs.buys_5m += pair.trades_5m.buys as f64;
        inputs.sells_5m += pair.trades_5m.sells as f64;
        inputs.trades_5m += pair.trades_5m.total() as f64;
        inputs.trades_1h += pair.trades_1h.total() as f64;
        inputs.volume_5m_usd += usable_number(pair.volume_5m_usd, &mut self.unusable);
        inputs.volume_1h_usd += usable_number(pair.volume_1h_usd, &mut self.unusable);
        inputs.liquidity_usd += liquidity_usd;
    }

    /// The API does not tell who moved how much, so the volume is split by the count of trades. The parts are rounded
    /// to a millionth of a dollar, as the system that this one replaces did: scores compare to 1e-9.
    fn split_volume(&mut self) {
        let inputs = &mut self.inputs;
        let trades = inputs.buys_5m + inputs.sells_5m;
        if trades > 0.0 {
            inputs.buy_volume_5m_usd = round6(inputs.volume_5m_usd * inputs.buys_5m / trades);
            inputs.sell_volume_5m_usd = round6(inputs.volume_5m_usd * inputs.sells_5m / trades);
        }
    }
}

/// The symbol in the main pool: of those whose price agrees with the others the one of highest liquidity, and without
/// any agreement the one of highest liquidity. The first in the list is not the main one, and a pool with an absurd
/// price may claim any liquidity.
fn symbol(own: &[&Pair]) -> Option<Box<str>> {
    let median = median_price(own);
    let rank = |pair: &Pair| (agrees(pair, median), pair.liquidity_usd.unwrap_or(0.0));
    let better = |a: &(bool, f64), b: &(bool, f64)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
    let mut main: Option<&Pair> = None;
    for pair in own.iter().filter(|pair| !pair.base.symbol.is_empty()) {
        if main.is_none_or(|main| better(&rank(pair), &rank(main)) == Ordering::Greater) {
            main = Some(pair);
        }
    }
    main.map(|main| main.base.symbol.clone())
}

/// The median of the known prices; between the two middle ones their geometric mean, so that two pools that disagree
/// are equally far from it.
fn median_price(own: &[&Pair]) -> Option<f64> {
    let mut prices: Vec<f64> = own.iter().filter_map(|pair| pair.price_usd).collect();
    prices.sort_unstable_by(f64::total_cmp);
    let upper = *prices.get(prices.len() / 2)?;
    let lower = prices[(prices.len() - 1) / 2];
    Some((lower.ln().midpoint(upper.ln())).exp())
}

fn agrees(pair: &Pair, median: Option<f64>) -> bool {
    let (Some(price), Some(median)) = (pair.price_usd, median) else { return false };
    price <= median * AGREEMENT && price >= median / AGREEMENT
}
