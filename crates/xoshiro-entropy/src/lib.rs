//! The [`Entropy`] port on xoshiro256++: streams of random bits that a seed decides, the same on every machine.
//!
//! Good for jitter and for the choices of a simulation, not for secrets. Where a seed comes from is the caller's to say.

use parking_lot::Mutex;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use ttm_kernel::Entropy;

/// A stream of bits that a seed decides.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<Xoshiro256PlusPlus>);

impl SeededEntropy {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)))
    }

    /// The stream of `seed` and `name`: independent of the streams of other names.
    pub fn stream(seed: u64, name: &str) -> Self {
        // FNV-1a; `seed_from_u64` spreads the bits.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self::new(seed.rotate_left(32) ^ hash)
    }
}

impl Entropy for SeededEntropy {
    fn next_u64(&self) -> u64 {
        self.0.lock().next_u64()
    }
}

#[cfg(test)]
mod tests {
    use ttm_kernel::testing::entropy_conformance;

    use super::*;

    #[test]
    fn a_stream_obeys_every_law() {
        entropy_conformance::check(|seed| Box::new(SeededEntropy::new(seed)) as Box<dyn Entropy>);
        let named = |seed| Box::new(SeededEntropy::stream(seed, "jitter")) as Box<dyn Entropy>;
        entropy_conformance::check(named);
    }

    #[test]
    fn a_stream_is_the_same_on_every_machine() {
        let draw = |entropy: SeededEntropy| [entropy.next_u64(), entropy.next_u64()];
        assert_eq!(draw(SeededEntropy::new(0)), [5_987_356_902_031_041_503, 7_051_070_477_665_621_255]);
        assert_eq!(
            draw(SeededEntropy::stream(1, "jitter")),
            [6_334_797_986_387_118_363, 10_301_161_594_377_680_672]
        );
    }

    #[test]
    fn a_seed_repeats_itself_and_names_make_different_streams() {
        let draw = |entropy: &SeededEntropy| [entropy.next_u64(), entropy.next_u64()];
        assert_eq!(draw(&SeededEntropy::new(1)), draw(&SeededEntropy::new(1)));
        assert_ne!(draw(&SeededEntropy::new(1)), draw(&SeededEntropy::new(2)));
        assert_ne!(draw(&SeededEntropy::stream(1, "a")), draw(&SeededEntropy::stream(1, "b")));
    }
}
