//! Randomness as a pure function: the same place always holds the same number.
//!
//! Only `+`, `−` and `×` on floats, so that the numbers are the same on every machine.

/// A place in a tree of numbers. Branches with different labels are independent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The root of the tree with this seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// The place below this one with this label.
    pub(super) const fn branch(self, label: u64) -> Self {
        Self(mix(self.0 ^ mix(label)))
    }

    /// The 64 bits of this place.
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn unit(self) -> f64 {
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.0 >> 11) as f64 * SCALE
    }

    /// Whether this place is one of `n` in `100 n`.
    pub(super) fn percent(self, n: f64) -> bool {
        self.unit() * 100.0 < n
    }

    /// One of `choices`, each as likely as the others.
    pub(super) fn pick<T: Copy, const N: usize>(self, choices: &[T; N]) -> T {
        let wide = (u128::from(self.0) * N as u128) >> 64;
        choices[usize::try_from(wide).unwrap_or(0)]
    }

    /// A smooth curve through random heights in `[0, 1)`, one every `period_ms`.
    pub(super) fn wave(self, at_ms: i64, period_ms: i64) -> f64 {
        let cell = at_ms.div_euclid(period_ms);
        let along = at_ms.rem_euclid(period_ms) as f64 / period_ms as f64;
        let eased = along * along * (3.0 - 2.0 * along);
        let from = self.height(cell);
        from + (self.height(cell.wrapping_add(1)) - from) * eased
    }

    /// The height of the curve at a cell's start.
    fn height(self, cell: i64) -> f64 {
        self.branch(cell.cast_unsigned()).unit()
    }
}

/// The finaliser of SplitMix64: every bit of the input moves half of the output.
const fn mix(input: u64) -> u64 {
    let a = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_continuous_and_stays_inside_the_unit() {
        let dice = Dice::new(7);
        let mut before = dice.wave(-5_000, 1_000);
        for at in -5_000..5_000 {
            let now = dice.wave(at, 1_000);
            assert!((0.0..1.0).contains(&now));
            assert!((now - before).abs() < 0.002, "a jump at {at}");
            before = now;
        }
    }

    #[test]
    fn branches_differ_and_units_fill_the_range() {
        let root = Dice::new(1);
        let mean = (0..1_000).map(|label| root.branch(label).unit()).sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert_ne!(root.branch(0).bits(), root.branch(1).bits());
        assert_ne!(root.branch(0).branch(1).bits(), root.branch(1).branch(0).bits());
    }
}
