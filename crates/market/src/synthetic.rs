//! A generated market: what an API would answer for any mint at any time, as a pure function of a seed.
//!
//! The stand-in exchange serves it over HTTP and the simulator answers with it directly, so that both see one market.
//! It is plausible, not true: shapes and rates of absence follow what was measured of the API, prices are invented.
//! Requests, limits and faults are up to what serves it.

mod noise;
mod pool;

use jiff::Timestamp;

use crate::Mint;
use noise::Dice;
use pool::{PoolDice, TokenDice, mint_at};

pub use pool::SyntheticPool;

/// A market with a seed. Two markets with the same seed agree on everything.
#[derive(Clone, Copy, Debug)]
pub struct SyntheticMarket {
    dice: Dice,
    tokens: usize,
}

impl SyntheticMarket {
    /// A market of `tokens` tokens. It answers for every other mint too, as if that had been one of them.
    pub const fn new(seed: u64, tokens: usize) -> Self {
        Self { dice: Dice::new(seed), tokens }
    }

    /// The same market with so many tokens more, which come after the others.
    #[must_use]
    pub const fn grown_by(self, tokens: usize) -> Self {
        Self { tokens: self.tokens + tokens, ..self }
    }

    /// Its tokens, listed or not, always in the same order.
    pub fn mints(&self) -> impl Iterator<Item = Mint> + use<> {
        let dice = self.dice;
        (0_u64..).take(self.tokens).map(move |index| mint_at(dice.branch(index)))
    }

    /// Whether the API knows the mint: one in twenty it does not. The quotes themselves are not listed.
    pub fn is_listed(&self, mint: &Mint) -> bool {
        *mint != Mint::WSOL && *mint != Mint::USDC && !self.token(mint).dice.branch(0).percent(5.0)
    }

    /// All pools of a mint at a time, 1 to 8, in an order that does not tell which is the main one, with those where
    /// the mint is the quote; `None` if it is not listed.
    pub fn pools_of(&self, mint: &Mint, at: Timestamp) -> Vec<SyntheticPool> {
        if !self.is_listed(mint) {
            return Vec::new();
        }
        self.pools(mint).map(|pool| pool.at(self.dice, at)).collect()
    }

    /// The pool that the API answers a batch with: among those whose base is the mint the one of highest liquidity,
    /// the first of them when none is known; `None` if the mint is not listed.
    pub fn primary_of(&self, mint: &Mint, at: Timestamp) -> Option<SyntheticPool> {
        if !self.is_listed(mint) {
            return None;
        }
        let at_ms = at.as_millisecond();
        let mut primary: Option<(PoolDice, Option<f64>)> = None;
        for pool in self.pools(mint).filter(|pool| !pool.is_quote_side()) {
            let liquidity = pool.liquidity_usd(at_ms);
            if primary.is_none_or(|(_, best)| liquidity > best) {
                primary = Some((pool, liquidity));
            }
        }
        primary.map(|(pool, _)| pool.at(self.dice, at))
    }

    /// The pools of a mint, before anything of them is computed.
    fn pools(&self, mint: &Mint) -> impl Iterator<Item = PoolDice> + use<> {
        let token = self.token(mint);
        (0..token.pool_count()).map(move |number| token.pool(number))
    }

    /// What is drawn for a mint comes from its own place, whether it is one of the market's tokens or not.
    fn token(&self, mint: &Mint) -> TokenDice {
        let dice = mint.as_bytes().chunks_exact(8).fold(self.dice, |dice, chunk| {
            let mut word = [0_u8; 8];
            word.copy_from_slice(chunk);
            dice.branch(u64::from_be_bytes(word))
        });
        TokenDice { mint: *mint, dice }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::SignedDuration;

    use super::*;
    use crate::{MarketConfig, Pair, score, summarize};

    const MARKET: SyntheticMarket = SyntheticMarket::new(42, 2_000);

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).expect("a valid time")
    }

    fn share(part: usize, whole: usize) -> f64 {
        part as f64 / whole as f64
    }

    #[test]
    fn mints_are_distinct_and_written_like_the_recorded_ones() {
        let mints: BTreeSet<Mint> = MARKET.mints().collect();
        assert_eq!(mints.len(), 2_000);
        for mint in mints {
            assert!((43..=44).contains(&mint.to_string().len()), "{mint}");
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer_and_another_seed_another() {
        let mint = MARKET.mints().find(|mint| MARKET.is_listed(mint)).expect("most are listed");
        assert_eq!(MARKET.pools_of(&mint, at(3)), SyntheticMarket::new(42, 1).pools_of(&mint, at(3)));
        assert_ne!(MARKET.pools_of(&mint, at(3)), SyntheticMarket::new(43, 2_000).pools_of(&mint, at(3)));
    }

    /// A line that replays a simulation means the market of its day: a number that changes here changes what each seed
    /// stands for, and must be meant.
    #[test]
    fn a_seed_stands_for_the_same_market_in_every_version() {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let pools = MARKET.mints().take(500).flat_map(|mint| {
            [-1_000_000, 0, 1, 777].into_iter().flat_map(move |minutes| MARKET.pools_of(&mint, at(minutes)))
        });
        let digest =
            pools.fold(0xcbf2_9ce4_8422_2325, |hash, pool| format!("{pool:?}").bytes().fold(hash, fnv));
        assert_eq!(format!("{digest:016x}"), "60e62cccd30ac7da");
    }

    #[test]
    fn every_pool_keeps_the_promises_of_a_pair() {
        for mint in MARKET.mints() {
            for minutes in [-40_000_000, 0, 1, 777] {
                for SyntheticPool { pair, price_native, .. } in MARKET.pools_of(&mint, at(minutes)) {
                    assert!(price_native.is_finite() && price_native > 0.0);
                    assert!(pair.price_usd.is_none_or(|price| price.is_finite() && price > 0.0));
                    assert!(
                        pair.liquidity_usd.is_none_or(|liquidity| liquidity.is_finite() && liquidity > 0.0)
                    );
                    assert!(pair.volume_5m_usd >= 0.0 && pair.volume_1h_usd >= pair.volume_5m_usd);
                    assert!(pair.trades_1h.buys >= pair.trades_5m.buys);
                    assert!(pair.trades_1h.sells >= pair.trades_5m.sells);
                    assert!(pair.created_at.is_none_or(|created| created <= at(minutes)));
                    assert!(pair.base.mint == mint || pair.quote == mint);
                    assert_eq!(pair.address.len(), 44);
                }
            }
        }
    }

    #[test]
    fn the_primary_pool_is_the_one_of_highest_liquidity_and_never_a_quote_side_one() {
        for mint in MARKET.mints() {
            let pools = MARKET.pools_of(&mint, at(9));
            let own = pools.iter().filter(|pool| pool.pair.base.mint == mint);
            let highest = own
                .map(|pool| pool.pair.liquidity_usd)
                .fold(None, |a: Option<f64>, b| if b > a { b } else { a });
            match MARKET.primary_of(&mint, at(9)) {
                Some(primary) => {
                    assert_eq!(primary.pair.base.mint, mint);
                    assert_eq!(primary.pair.liquidity_usd, highest);
                    assert!(pools.contains(&primary));
                }
                None => assert!(pools.is_empty()),
            }
        }
    }

    #[test]
    fn fields_are_absent_at_the_measured_rates() {
        let pools: Vec<_> = MARKET.mints().flat_map(|mint| MARKET.pools_of(&mint, at(0))).collect();
        let count = |test: fn(&SyntheticPool) -> bool| pools.iter().filter(|pool| test(pool)).count();
        let curve = count(|pool| &*pool.pair.dex == "pumpfun");
        let others = pools.len() - curve;
        let unknown_elsewhere =
            count(|pool| &*pool.pair.dex != "pumpfun" && pool.pair.liquidity_usd.is_none());
        assert_eq!(count(|pool| &*pool.pair.dex == "pumpfun" && pool.pair.liquidity_usd.is_some()), 0);
        assert!((0.12..0.18).contains(&share(unknown_elsewhere, others)));
        assert!((0.08..0.12).contains(&share(count(|pool| pool.pair.price_usd.is_none()), pools.len())));
        assert!((0.01..0.03).contains(&share(count(|pool| pool.pair.created_at.is_none()), pools.len())));
        let listed = MARKET.mints().filter(|mint| MARKET.is_listed(mint)).count();
        assert!((0.93..0.97).contains(&share(listed, 2_000)));
    }

    #[test]
    fn some_tokens_trade_and_some_are_quiet_and_both_change() {
        let trading = |minutes| -> BTreeSet<Mint> {
            let active = |mint: &Mint| {
                MARKET.primary_of(mint, at(minutes)).is_some_and(|pool| pool.pair.trades_5m.total() > 0)
            };
            MARKET.mints().filter(active).collect()
        };
        let (first, later) = (trading(0), trading(60));
        assert!((0.2..0.8).contains(&share(first.len(), 2_000)), "{}", first.len());
        assert!(first.difference(&later).count() > 20);
        assert!(later.difference(&first).count() > 20);
    }

    #[test]
    fn scores_spread_over_hot_and_cold() {
        let config = MarketConfig::default();
        let too_old_to_be_fresh = SignedDuration::from_hours(7);
        let summaries = MARKET.mints().map(|mint| {
            let pairs: Vec<Pair> = MARKET.pools_of(&mint, at(7)).into_iter().map(|pool| pool.pair).collect();
            summarize(mint, &pairs, &config)
        });
        let (mut hot, mut activates, mut above_one) = (0, 0, 0);
        for summary in summaries {
            let value = score(&summary.inputs, too_old_to_be_fresh).score.value;
            hot += usize::from(value >= config.hot_threshold());
            activates += usize::from(summary.activates());
            above_one += usize::from(value > 1.0);
        }
        assert!((0.15..0.6).contains(&share(hot, 2_000)), "{hot}");
        assert!((0.2..0.6).contains(&share(activates, 2_000)), "{activates}");
        assert!((0.005..0.1).contains(&share(above_one, 2_000)), "{above_one}");
    }

    #[test]
    fn prices_move_but_do_not_jump() {
        for mint in MARKET.mints().take(200) {
            let price = |minutes| MARKET.primary_of(&mint, at(minutes)).and_then(|pool| pool.pair.price_usd);
            if let (Some(before), Some(after), Some(hours_after)) = (price(0), price(1), price(400)) {
                assert!((after / before - 1.0).abs() < 0.1);
                assert!((hours_after / before - 1.0).abs() > 0.0);
            }
        }
    }
}
