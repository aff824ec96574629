//! The hybrid momentum score: arithmetic only.

use jiff::SignedDuration;

/// Sums over the pools that count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScoreInputs {
    /// Buys of the last five minutes.
    pub buys_5m: f64,
    /// Sells of the last five minutes.
    pub sells_5m: f64,
    /// Trades of the last hour, both sides.
    pub trades_1h: f64,
    /// Trades of the last five minutes, both sides.
    pub trades_5m: f64,
    /// Volume of the last five minutes, US dollars.
    pub volume_5m_usd: f64,
    /// The buyers' part of it.
    pub buy_volume_5m_usd: f64,
    /// The sellers' part of it.
    pub sell_volume_5m_usd: f64,
    /// Volume of the last hour, US dollars.
    pub volume_1h_usd: f64,
    /// Liquidity, US dollars.
    pub liquidity_usd: f64,
}

/// The four parts of a score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Components {
    /// Acceleration of the trade count, 0 to 10.
    pub tx_accel: f64,
    /// Momentum of the volume, 0 to 15.
    pub vol_momentum: f64,
    /// 1 for a new token, 0 from six hours on.
    pub freshness: f64,
    /// Buyers against sellers, −1 to 1.
    pub orderflow: f64,
}

/// A score as computed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Its parts.
    pub components: Components,
    /// A quarter of each, rounded to six decimals.
    pub value: f64,
}

/// A score after smoothing: each part and the value by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Smoothed {
    /// Smoothed parts.
    pub components: Components,
    /// Smoothed value.
    pub value: f64,
}

/// A score, and how many of its inputs could not be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The score.
    pub score: Score,
    /// Inputs that were negative or not finite, and counted as 0.
    pub unusable: u32,
}

/// The score of a token that was first seen `age` ago; a negative age, after a step of the clock, is as 0.
///
/// Total: whatever the inputs are, every part is finite and within its range.
pub fn score(inputs: &ScoreInputs, age: SignedDuration) -> Scored {
    let (inputs, unusable) = usable(inputs);
    let components = Components {
        tx_accel: tx_accel(inputs.trades_5m, inputs.trades_1h),
        vol_momentum: vol_momentum(inputs.volume_5m_usd, inputs.volume_1h_usd, inputs.liquidity_usd),
        freshness: freshness(age),
        orderflow: orderflow(&inputs),
    };
    let Components { tx_accel, vol_momentum, freshness, orderflow } = components;
    let value = 0.25 * tx_accel + 0.25 * vol_momentum + 0.25 * freshness + 0.25 * orderflow;
    Scored { score: Score { components, value: round6(value) }, unusable }
}

impl Smoothed {
    /// The start of an EWMA: the score as it is.
    pub const fn first(score: Score) -> Self {
        Self { components: score.components, value: score.value }
    }

    /// The EWMA after one more score, which weighs `alpha`.
    #[must_use]
    pub fn next(self, score: Score, alpha: f64) -> Self {
        let mix = |before: f64, newest: f64| alpha * newest + (1.0 - alpha) * before;
        let (before, newest) = (self.components, score.components);
        Self {
            components: Components {
                tx_accel: mix(before.tx_accel, newest.tx_accel),
                vol_momentum: mix(before.vol_momentum, newest.vol_momentum),
                freshness: mix(before.freshness, newest.freshness),
                orderflow: mix(before.orderflow, newest.orderflow),
            },
            value: mix(self.value, score.value),
        }
    }
}

/// `value` rounded to six decimals, as its decimal text would be: what decides is the number that the float is, which is
/// above or below a half where the shortest text of it shows exactly one.
pub(crate) fn round6(value: f64) -> f64 {
    /// Below, the product is off by less than a thousandth.
    const LARGE: f64 = (1_u64 << 40) as f64;
    let scaled = value * 1e6;
    let is_near_a_half = (scaled.fract().abs() - 0.5).abs() < 1e-3;
    if scaled.abs() < LARGE && !is_near_a_half {
        return scaled.round() / 1e6;
    }
    format!("{value:.6}").parse().unwrap_or(value)
}

/// `value` where it can be used, else 0 and one more `unusable`.
pub(crate) fn usable_number(value: f64, unusable: &mut u32) -> f64 {
    if value.is_finite() && value >= 0.0 {
        return value.min(BEYOND_ANY_MARKET);
    }
    *unusable = unusable.saturating_add(1);
    0.0
}

/// Larger inputs count as this much, so that no sum or product of a few of them overflows.
const BEYOND_ANY_MARKET: f64 = 1e100;

fn usable(inputs: &ScoreInputs) -> (ScoreInputs, u32) {
    let mut unusable = 0;
    let mut number = |value| usable_number(value, &mut unusable);
    let usable = ScoreInputs {
        buys_5m: number(inputs.buys_5m),
        sells_5m: number(inputs.sells_5m),
        trades_1h: number(inputs.trades_1h),
        trades_5m: number(inputs.trades_5m),
        volume_5m_usd: number(inputs.volume_5m_usd),
        buy_volume_5m_usd: number(inputs.buy_volume_5m_usd),
        sell_volume_5m_usd: number(inputs.sell_volume_5m_usd),
        volume_1h_usd: number(inputs.volume_1h_usd),
        liquidity_usd: number(inputs.liquidity_usd),
    };
    (usable, unusable)
}

/// Trades of five minutes against those of an hour, both as logarithms of their rates.
fn tx_accel(recent: f64, hour: f64) -> f64 {
    if recent == 0.0 || hour == 0.0 {
        return 0.0;
    }
    ratio((recent / 5.0).ln_1p(), (hour / 60.0).ln_1p()).min(10.0)
}

/// The volume of five minutes against the mean five minutes of the hour, damped where there is little liquidity.
fn vol_momentum(recent: f64, hour: f64, liquidity: f64) -> f64 {
    if recent == 0.0 || hour == 0.0 {
        return 0.0;
    }
    let depth = if liquidity == 0.0 { 0.5 } else { (liquidity / 100_000.0).min(1.0).sqrt() };
    (ratio(recent, hour / 12.0) * depth).min(15.0)
}

fn freshness(age: SignedDuration) -> f64 {
    const HOURS: f64 = 6.0;
    let age_hours = age.as_secs_f64() / 3600.0;
    ((HOURS - age_hours) / HOURS).clamp(0.0, 1.0)
}

/// What buyers spent against what sellers took, damped where either little money moved or a few trades moved it.
fn orderflow(inputs: &ScoreInputs) -> f64 {
    let (bought, sold) = (inputs.buy_volume_5m_usd, inputs.sell_volume_5m_usd);
    let total = bought + sold;
    if total == 0.0 {
        return 0.0;
    }
    let mut weight = (total / 500.0).min(1.0);
    let mean = |volume: f64, trades: f64| if trades == 0.0 { 0.0 } else { volume / trades };
    let largest = mean(bought, inputs.buys_5m).max(mean(sold, inputs.sells_5m));
    if largest > 3.0 * mean(total, inputs.buys_5m + inputs.sells_5m) {
        weight /= 2.0;
    }
    ((bought - sold) / total * weight).clamp(-1.0, 1.0)
}

/// `part / whole` for numbers ≥ 0, finite also where `whole` is so small that it vanished.
fn ratio(part: f64, whole: f64) -> f64 {
    (part / whole.max(f64::MIN_POSITIVE)).min(f64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_half_is_rounded_by_what_the_float_is_and_not_by_its_shortest_text() {
        for (value, rounded) in [
            (0.000_312_5, 0.000_313),
            (0.009_687_5, 0.009_687),
            (-0.009_687_5, -0.009_687),
            // These are halves exactly, and go to the even side.
            (0.007_812_5, 0.007_812),
            (0.023_437_5, 0.023_438),
            (-0.007_812_5, -0.007_812),
            (1e300, 1e300),
            (f64::MAX, f64::MAX),
        ] {
            assert_eq!(round6(value).to_bits(), f64::to_bits(rounded), "{value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn rounding_is_writing_six_decimals_and_reading_them(
            value in prop_oneof![
                any::<f64>(),
                -1e7..1e7_f64,
                -1e-3..1e-3_f64,
                // Halves of a millionth, and their neighbours.
                (-2_000_000_000_i64..2_000_000_000, -2_i64..=2).prop_map(|(half, off)| {
                    let half = (half as f64 + 0.5) / 1e6;
                    f64::from_bits(half.to_bits().wrapping_add_signed(off))
                }),
            ],
        ) {
            let read: f64 = format!("{value:.6}").parse().expect("a number");
            prop_assert!(round6(value).to_bits() == read.to_bits() || value.is_nan(), "{value:?}");
        }
    }
}
