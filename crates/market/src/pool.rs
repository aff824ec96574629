//! Which pools of a token count, and their sums. They depend on the pools and the config alone.

use std::cmp::Ordering;

use crate::score::{round6, usable_number};
use crate::view::highest_first;
use crate::{ActivationRule, MarketConfig, Mint, Pair, PoolSeen, PoolsSeen, ScoreInputs};

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
        self.activation().is_some()
    }

    /// The rule by which these pools activate a token; the stronger one, where both hold.
    pub const fn activation(&self) -> Option<ActivationRule> {
        match self.pools {
            1 if self.pump_fun => Some(ActivationRule::PumpFunAndOne),
            0 | 1 => None,
            _ => Some(ActivationRule::Two),
        }
    }
}

/// Sums up the pools of `mint`.
///
/// A pool counts when its base is the mint, its quote is WSOL or USDC by address, it is no bonding curve, and its
/// liquidity is known and at least the minimum. A pool that is listed twice counts once, as first listed.
pub fn summarize(mint: Mint, pairs: &[Pair], config: &MarketConfig) -> PoolSummary {
    let own = own_pools(mint, pairs);
    let mut summary = PoolSummary { symbol: symbol(&own), ..PoolSummary::default() };
    for pair in own {
        if !is_quoted_well(pair) {
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

/// The pools of `mint`, each once.
fn own_pools(mint: Mint, pairs: &[Pair]) -> Vec<&Pair> {
    let (mut own, mut ends) = (Vec::with_capacity(pairs.len()), Vec::with_capacity(pairs.len()));
    for pair in pairs.iter().filter(|pair| pair.base.mint == mint) {
        // The API caps its lists near thirty: few enough to look through, by the ends of their addresses first.
        let end = end(&pair.address);
        let mut same = own.iter().zip(&ends).filter(|(_, other)| **other == end);
        if same.all(|(other, _): (&&Pair, _)| other.address != pair.address) {
            own.push(pair);
            ends.push(end);
        }
    }
    own
}

fn is_quoted_well(pair: &Pair) -> bool {
    pair.quote == Mint::WSOL || pair.quote == Mint::USDC
}

/// The pools that satisfy an activation's rule, for its event. They are gathered anew, and not while summing up: a token
/// is scored every few seconds and activated once.
pub(crate) fn pools_of_activation(
    mint: Mint,
    pairs: &[Pair],
    rule: ActivationRule,
    config: &MarketConfig,
) -> PoolsSeen {
    let counts = |pair: &Pair| {
        !BONDING_CURVES.contains(&&*pair.dex)
            && liquidity(pair).is_some_and(|liquidity| liquidity >= config.min_liquidity_usd())
    };
    let is_curve = |pair: &Pair| rule == ActivationRule::PumpFunAndOne && &*pair.dex == PUMP_FUN;
    let own = own_pools(mint, pairs).into_iter();
    seen(own.filter(|pair| is_quoted_well(pair) && (counts(pair) || is_curve(pair))))
}

/// All pools of a token, for the event of its archiving.
pub(crate) fn pools_of(mint: Mint, pairs: &[Pair]) -> PoolsSeen {
    seen(own_pools(mint, pairs).into_iter())
}

fn seen<'a>(pools: impl Iterator<Item = &'a Pair>) -> PoolsSeen {
    let mut pools: Vec<(Option<f64>, &Pair)> = pools.map(|pair| (liquidity(pair), pair)).collect();
    pools.sort_by(|a, b| highest_first(a.0, b.0));
    let listed = pools.iter().take(PoolsSeen::LISTED).map(|(liquidity_usd, pair)| PoolSeen {
        address: pair.address.clone(),
        dex: pair.dex.clone(),
        liquidity_usd: *liquidity_usd,
    });
    PoolsSeen { count: u32::try_from(pools.len()).unwrap_or(u32::MAX), listed: listed.collect() }
}

/// A pool's liquidity as it counts.
fn liquidity(pair: &Pair) -> Option<f64> {
    pair.liquidity_usd.map(|liquidity| usable_number(liquidity, &mut 0))
}

/// The last bytes of an address as a number; all of it, when it has no more.
fn end(address: &str) -> u64 {
    let bytes = address.as_bytes();
    let last = &bytes[bytes.len().saturating_sub(8)..];
    last.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
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
    let mut main: Option<(&Pair, (bool, f64))> = None;
    for pair in own.iter().filter(|pair| !pair.base.symbol.is_empty()) {
        let rank = (agrees(pair, median), pair.liquidity_usd.unwrap_or(0.0));
        let better =
            |than: &(bool, f64)| rank.0.cmp(&than.0).then(rank.1.total_cmp(&than.1)) == Ordering::Greater;
        if main.as_ref().is_none_or(|(_, best)| better(best)) {
            main = Some((pair, rank));
        }
    }
    main.map(|(main, _)| main.base.symbol.clone())
}

/// The median of the known prices; between the two middle ones their geometric mean, so that two pools that disagree
/// are equally far from it.
fn median_price(own: &[&Pair]) -> Option<f64> {
    let mut prices: Vec<f64> = own.iter().filter_map(|pair| pair.price_usd).collect();
    if prices.is_empty() {
        return None;
    }
    let middle = prices.len() / 2;
    let (below, upper, _) = prices.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let even = below.iter().copied().max_by(f64::total_cmp).filter(|_| prices.len().is_multiple_of(2));
    let lower = even.unwrap_or(upper);
    Some((lower.ln().midpoint(upper.ln())).exp())
}

fn agrees(pair: &Pair, median: Option<f64>) -> bool {
    let (Some(price), Some(median)) = (pair.price_usd, median) else { return false };
    price <= median * AGREEMENT && price >= median / AGREEMENT
}
