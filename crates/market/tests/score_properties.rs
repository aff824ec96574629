//! What holds of the score and its smoothing on any input.

use jiff::SignedDuration;
use proptest::prelude::*;
use ttm_market::testing::{any_f64, score_inputs};
use ttm_market::{Components, Score, ScoreInputs, Smoothed, score};

fn any_inputs() -> impl Strategy<Value = ScoreInputs> {
    prop::array::uniform9(any_f64()).prop_map(|n| ScoreInputs {
        buys_5m: n[0],
        sells_5m: n[1],
        trades_1h: n[2],
        trades_5m: n[3],
        volume_5m_usd: n[4],
        buy_volume_5m_usd: n[5],
        sell_volume_5m_usd: n[6],
        volume_1h_usd: n[7],
        liquidity_usd: n[8],
    })
}

fn any_age() -> impl Strategy<Value = SignedDuration> {
    prop_oneof![
        (-3_600_000..36_000_000_i64).prop_map(SignedDuration::from_millis),
        any::<i64>().prop_map(SignedDuration::from_secs),
    ]
}

fn components(inputs: &ScoreInputs) -> Components {
    score(inputs, SignedDuration::ZERO).score.components
}

fn in_bounds(components: Components, value: f64) -> bool {
    (0.0..=10.0).contains(&components.tx_accel)
        && (0.0..=15.0).contains(&components.vol_momentum)
        && (0.0..=1.0).contains(&components.freshness)
        && (-1.0..=1.0).contains(&components.orderflow)
        && (-0.25..=6.75).contains(&value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_part_is_within_its_range_on_any_input(inputs in any_inputs(), age in any_age()) {
        let score = score(&inputs, age).score;
        prop_assert!(in_bounds(score.components, score.value), "{score:?}");
    }

    #[test]
    fn unusable_inputs_are_counted_and_act_as_zero(inputs in any_inputs(), age in any_age()) {
        let mut expected = 0;
        let mut clean = |value: f64| {
            let usable = value.is_finite() && value >= 0.0;
            expected += u32::from(!usable);
            if usable { value } else { 0.0 }
        };
        let cleaned = ScoreInputs {
            buys_5m: clean(inputs.buys_5m),
            sells_5m: clean(inputs.sells_5m),
            trades_1h: clean(inputs.trades_1h),
            trades_5m: clean(inputs.trades_5m),
            volume_5m_usd: clean(inputs.volume_5m_usd),
            buy_volume_5m_usd: clean(inputs.buy_volume_5m_usd),
            sell_volume_5m_usd: clean(inputs.sell_volume_5m_usd),
            volume_1h_usd: clean(inputs.volume_1h_usd),
            liquidity_usd: clean(inputs.liquidity_usd),
        };
        let scored = score(&inputs, age);
        prop_assert_eq!(scored.unusable, expected);
        prop_assert_eq!(scored.score, score(&cleaned, age).score);
    }

    #[test]
    fn more_recent_trades_never_lower_the_acceleration(inputs in score_inputs(), more in 0.0..1e4_f64) {
        // From one on: no trades at all is 0 by definition, on either side.
        let inputs = ScoreInputs { trades_5m: inputs.trades_5m.max(1.0), ..inputs };
        let busier = ScoreInputs { trades_5m: inputs.trades_5m + more, ..inputs };
        prop_assert!(components(&busier).tx_accel >= components(&inputs).tx_accel);
    }

    #[test]
    fn more_trades_in_the_hour_never_raise_the_acceleration(inputs in score_inputs(), more in 0.0..1e4_f64) {
        let inputs = ScoreInputs { trades_1h: inputs.trades_1h.max(1.0), ..inputs };
        let busier = ScoreInputs { trades_1h: inputs.trades_1h + more, ..inputs };
        prop_assert!(components(&busier).tx_accel <= components(&inputs).tx_accel);
    }

    #[test]
    fn more_recent_volume_never_lowers_the_momentum(inputs in score_inputs(), more in 0.0..1e6_f64) {
        let larger = ScoreInputs { volume_5m_usd: inputs.volume_5m_usd + more, ..inputs };
        prop_assert!(components(&larger).vol_momentum >= components(&inputs).vol_momentum);
    }

    #[test]
    fn more_liquidity_never_lowers_the_momentum(inputs in score_inputs(), more in 0.0..1e6_f64) {
        // A liquidity of exactly 0 is unknown to the formula and weighs a half.
        let inputs = ScoreInputs { liquidity_usd: inputs.liquidity_usd.max(0.01), ..inputs };
        let deeper = ScoreInputs { liquidity_usd: inputs.liquidity_usd + more, ..inputs };
        prop_assert!(components(&deeper).vol_momentum >= components(&inputs).vol_momentum);
    }

    #[test]
    fn freshness_never_rises_with_age(younger in any_age(), older in any_age()) {
        let (younger, older) = (younger.min(older), younger.max(older));
        let freshness = |age| score(&ScoreInputs::default(), age).score.components.freshness;
        prop_assert!(freshness(younger) >= freshness(older));
    }

    #[test]
    fn buyers_and_sellers_in_each_others_place_turn_the_orderflow_around(inputs in any_inputs()) {
        let swapped = ScoreInputs {
            buys_5m: inputs.sells_5m,
            sells_5m: inputs.buys_5m,
            buy_volume_5m_usd: inputs.sell_volume_5m_usd,
            sell_volume_5m_usd: inputs.buy_volume_5m_usd,
            ..inputs
        };
        prop_assert!((components(&swapped).orderflow + components(&inputs).orderflow).abs() <= f64::EPSILON);
    }

    #[test]
    fn a_smoothed_score_stays_between_what_it_was_and_what_is_new(
        before in (score_inputs(), any_age()),
        newest in (score_inputs(), any_age()),
        alpha in 0.0..=1.0_f64,
    ) {
        let (before, newest) = (score(&before.0, before.1).score, score(&newest.0, newest.1).score);
        let first = Smoothed::first(before);
        prop_assert_eq!((first.components, first.value), (before.components, before.value));
        let next = first.next(newest, alpha);
        let parts = |c: Components, value: f64| [c.tx_accel, c.vol_momentum, c.freshness, c.orderflow, value];
        let (before, after) = (parts(before.components, before.value), parts(next.components, next.value));
        for ((before, after), newest) in before.into_iter().zip(after).zip(parts(newest.components, newest.value)) {
            let (low, high) = (before.min(newest), before.max(newest));
            prop_assert!((low - 1e-9..=high + 1e-9).contains(&after), "{after} is not in {low}..={high}");
        }
    }
}

#[test]
fn a_few_trades_far_larger_than_the_mean_halve_the_orderflow() {
    // One sale of 900 USD against 29 purchases of 10 USD: the mean trade is 39.67 USD.
    let inputs = ScoreInputs {
        buys_5m: 29.0,
        sells_5m: 1.0,
        buy_volume_5m_usd: 290.0,
        sell_volume_5m_usd: 900.0,
        ..ScoreInputs::default()
    };
    let expected = (290.0 - 900.0) / 1190.0 / 2.0;
    assert!((components(&inputs).orderflow - expected).abs() < 1e-12);
    // With the same volumes in trades of one size nothing is halved.
    let even = ScoreInputs { sells_5m: 90.0, ..inputs };
    assert!((components(&even).orderflow - 2.0 * expected).abs() < 1e-12);
    // A trade of exactly three times the mean is not larger than that.
    let thrice = ScoreInputs {
        buys_5m: 1.0,
        sells_5m: 2.0,
        buy_volume_5m_usd: 300.0,
        sell_volume_5m_usd: 0.0,
        ..ScoreInputs::default()
    };
    assert!((components(&thrice).orderflow - 300.0 / 500.0).abs() < 1e-12);
}

#[test]
fn the_score_is_a_quarter_of_each_part_to_six_decimals() {
    let inputs = ScoreInputs { trades_5m: 7.0, trades_1h: 60.0, ..ScoreInputs::default() };
    let Score { components, value } = score(&inputs, SignedDuration::from_hours(2)).score;
    let sum = components.tx_accel + components.freshness;
    assert!((value - sum / 4.0).abs() <= 5e-7);
    assert!((value * 1e6 - (value * 1e6).round()).abs() < 1e-6);
}

#[test]
fn an_ewma_gives_the_newest_score_three_tenths() {
    let at = |value| Score { value, ..Score::default() };
    let smoothed = Smoothed::first(at(1.0)).next(at(2.0), 0.3).next(at(0.0), 0.3);
    assert!((smoothed.value - 1.3 * 0.7).abs() < 1e-12);
}
