//! Which pools of a token count, and what they add up to.

use jiff::SignedDuration;
use proptest::prelude::*;
use ttm_market::testing::{any_f64, mint, pairs};
use ttm_market::{MarketConfig, Mint, Pair, PoolSummary, TokenRef, Trades, score, summarize};

const TOKEN: Mint = Mint::from_bytes([7; 32]);

/// A pool that counts.
fn pool(address: &str) -> Pair {
    Pair {
        address: address.into(),
        dex: "raydium".into(),
        base: TokenRef { mint: TOKEN, symbol: "CAT".into() },
        quote: Mint::WSOL,
        price_usd: Some(1.0),
        trades_5m: Trades { buys: 6, sells: 5 },
        trades_1h: Trades { buys: 60, sells: 50 },
        volume_5m_usd: 640.3,
        volume_1h_usd: 7_000.0,
        liquidity_usd: Some(1_000.0),
        created_at: None,
    }
}

fn sum(pools: &[Pair]) -> PoolSummary {
    summarize(TOKEN, pools, &MarketConfig::default())
}

#[test]
fn pools_that_count_are_summed_up() {
    let usdc = Pair { quote: Mint::USDC, ..pool("b") };
    let summary = sum(&[pool("a"), usdc]);
    assert_eq!((summary.pools, summary.thin, summary.unknown, summary.unusable), (2, 0, 0, 0));
    let inputs = summary.inputs;
    assert_eq!(
        (inputs.buys_5m, inputs.sells_5m, inputs.trades_5m, inputs.trades_1h),
        (12.0, 10.0, 22.0, 220.0)
    );
    assert_eq!(
        (inputs.volume_5m_usd, inputs.volume_1h_usd, inputs.liquidity_usd),
        (1_280.6, 14_000.0, 2_000.0)
    );
}

#[test]
fn the_volume_is_split_by_the_count_of_trades_to_a_millionth_of_a_dollar() {
    let inputs = sum(&[pool("a")]).inputs;
    assert_eq!((inputs.buy_volume_5m_usd, inputs.sell_volume_5m_usd), (349.254_545, 291.045_455));
    let quiet = Pair { trades_5m: Trades::default(), ..pool("a") };
    let inputs = sum(&[quiet]).inputs;
    assert_eq!((inputs.buy_volume_5m_usd, inputs.sell_volume_5m_usd), (0.0, 0.0));
}

#[test]
fn a_volume_of_a_half_is_split_as_the_system_before_split_it() {
    // 0.01 USD in one purchase and 31 sales: both parts are halves of a millionth, and neither float is one.
    let pool = Pair { trades_5m: Trades { buys: 1, sells: 31 }, volume_5m_usd: 0.01, ..pool("a") };
    let inputs = sum(&[pool]).inputs;
    assert_eq!((inputs.buy_volume_5m_usd, inputs.sell_volume_5m_usd), (0.000_313, 0.009_687));
    let orderflow = score(&inputs, SignedDuration::ZERO).score.components.orderflow;
    assert!((orderflow - -1.874_8e-5).abs() < 1e-12, "{orderflow}");
}

#[test]
fn a_pool_counts_only_with_the_right_base_quote_exchange_and_liquidity() {
    let base = TokenRef { mint: Mint::USDC, symbol: "CAT".into() };
    let fakes = [
        Pair { base, ..pool("another base") },
        Pair { quote: Mint::from_bytes([1; 32]), ..pool("another quote") },
        Pair { dex: "pumpfun".into(), ..pool("bonding curve") },
        Pair { dex: "launchlab".into(), ..pool("bonding curve, too") },
        Pair { liquidity_usd: None, ..pool("unknown liquidity") },
        Pair { liquidity_usd: Some(499.99), ..pool("little liquidity") },
        Pair { liquidity_usd: Some(f64::NAN), ..pool("absurd liquidity") },
    ];
    for fake in fakes {
        assert_eq!(sum(std::slice::from_ref(&fake)).pools, 0, "{}", fake.address);
    }
    let exact = Pair { liquidity_usd: Some(500.0), ..pool("the minimum") };
    assert_eq!(sum(&[exact]).pools, 1);
}

#[test]
fn a_pool_that_is_listed_twice_counts_once_as_first_listed() {
    let again = Pair { volume_1h_usd: 1.0, ..pool("a") };
    assert_eq!(sum(&[pool("a"), again]), sum(&[pool("a")]));
}

#[test]
fn a_pump_fun_pool_and_one_that_counts_or_two_that_count_activate() {
    let curve = || Pair { dex: "pumpfun".into(), liquidity_usd: None, ..pool("curve") };
    let thin = || Pair { liquidity_usd: Some(1.0), ..pool("thin") };
    let pumpswap = || Pair { dex: "pumpswap".into(), ..pool("swap") };
    assert!(sum(&[curve(), pumpswap()]).activates());
    assert!(sum(&[pool("a"), pumpswap()]).activates());
    assert!(!sum(&[pool("a")]).activates());
    assert!(!sum(&[pool("a"), thin()]).activates());
    assert!(!sum(&[curve(), thin()]).activates());
    assert!(!sum(&[curve(), Pair { address: "second curve".into(), ..curve() }]).activates());
    assert!(!sum(&[]).activates());
}

#[test]
fn the_symbol_is_that_of_the_deepest_pool_whose_price_agrees_with_the_others() {
    let named = |address: &str, symbol: &str, price: f64, liquidity: f64| Pair {
        base: TokenRef { mint: TOKEN, symbol: symbol.into() },
        price_usd: Some(price),
        liquidity_usd: Some(liquidity),
        ..pool(address)
    };
    let pools = [
        named("first", "SMALL", 1.0, 600.0),
        named("absurd", "FAKE", 1e6, 1e12),
        named("main", "MAIN", 1.01, 9_000.0),
        named("nameless", "", 1.0, 1e9),
    ];
    assert_eq!(sum(&pools).symbol.as_deref(), Some("MAIN"));
    // Two that disagree: there is no telling which is absurd.
    assert_eq!(sum(&pools[..2]).symbol.as_deref(), Some("FAKE"));
    assert_eq!(sum(&pools[3..]).symbol, None);
}

#[test]
fn a_price_agrees_with_the_median_up_to_twice_and_down_to_half_of_it() {
    let named = |address: &str, symbol: &str, price: f64, liquidity: f64| Pair {
        base: TokenRef { mint: TOKEN, symbol: symbol.into() },
        price_usd: Some(price),
        liquidity_usd: Some(liquidity),
        ..pool(address)
    };
    for (price, agrees) in [(3.99, false), (4.01, true), (8.0, true), (15.99, true), (16.01, false)] {
        let mut pools: Vec<Pair> =
            ["a", "b", "c"].map(|address| named(address, "SMALL", 8.0, 1_000.0)).into();
        pools.insert(1, named("deepest", "DEEPEST", price, 9_000.0));
        let expected = if agrees { "DEEPEST" } else { "SMALL" };
        assert_eq!(sum(&pools).symbol.as_deref(), Some(expected), "{price} where others say 8");
    }
}

proptest! {
    #[test]
    fn the_order_of_the_list_changes_nothing_that_counts(
        (mint, pools) in mint().prop_flat_map(|mint| (Just(mint), pairs(mint))),
    ) {
        let mut unique = pools;
        unique.sort_by(|a, b| a.address.cmp(&b.address));
        unique.dedup_by(|a, b| a.address == b.address);
        let config = MarketConfig::default();
        let forwards = summarize(mint, &unique, &config);
        unique.reverse();
        let backwards = summarize(mint, &unique, &config);
        prop_assert_eq!(forwards.activates(), backwards.activates());
        prop_assert_eq!((forwards.pools, forwards.thin), (backwards.pools, backwards.thin));
        let off = (forwards.inputs.liquidity_usd - backwards.inputs.liquidity_usd).abs();
        prop_assert!(off <= 1e-6 * forwards.inputs.liquidity_usd);
    }

    #[test]
    fn one_absurd_pool_spoils_nothing(
        volumes in prop::array::uniform3(any_f64()),
        price in prop::option::of(any_f64()),
    ) {
        let [volume_5m_usd, volume_1h_usd, liquidity] = volumes;
        let absurd = Pair {
            volume_5m_usd,
            volume_1h_usd,
            liquidity_usd: Some(liquidity),
            price_usd: price,
            trades_1h: Trades { buys: u64::MAX, sells: u64::MAX },
            ..pool("absurd")
        };
        let summary = sum(&[absurd, pool("a")]);
        for value in [
            summary.inputs.volume_5m_usd,
            summary.inputs.buy_volume_5m_usd,
            summary.inputs.volume_1h_usd,
            summary.inputs.liquidity_usd,
        ] {
            prop_assert!(value.is_finite() && value >= 0.0);
        }
        prop_assert!(summary.inputs.volume_5m_usd >= 640.3);
        prop_assert_eq!(score(&summary.inputs, SignedDuration::ZERO).unusable, 0, "all of it was cleaned");
    }
}
