//! The port to randomness, so that a seed can decide every random choice.

/// A stream of random bits.
///
/// Law: a seeded stream gives the same numbers in the same order on every machine.
pub trait Entropy: Send + Sync {
    /// 64 uniform bits.
    fn next_u64(&self) -> u64;

    /// Uniform in `[0, 1)`, with 53 bits.
    fn unit(&self) -> f64 {
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * SCALE
    }

    /// Uniform in `0..bound`; 0 when `bound` is 0. The bias of the multiplication is below `bound / 2^64`.
    fn below(&self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64);

    impl Entropy for Fixed {
        fn next_u64(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn the_extremes_stay_inside_their_ranges() {
        for bits in [0, 1, u64::MAX / 2, u64::MAX] {
            let entropy = Fixed(bits);
            assert!((0.0..1.0).contains(&entropy.unit()));
            assert!(entropy.below(10) < 10);
            assert_eq!(entropy.below(0), 0);
            assert_eq!(entropy.below(1), 0);
        }
    }
}
