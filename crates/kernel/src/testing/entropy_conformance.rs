//! The law of [`Entropy`] as a suite, and what its numbers promise. That a stream is the same on every machine takes numbers that are
//! written down: that is for each adapter's own tests. All laws are checked before those that do not hold are reported.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use ttm_kernel::Entropy;
//! use ttm_kernel::testing::entropy_conformance;
//!
//! struct SplitMix(AtomicU64);
//!
//! impl Entropy for SplitMix {
//!     fn next_u64(&self) -> u64 {
//!         let mut bits = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
//!         bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
//!         bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
//!         bits ^ (bits >> 31)
//!     }
//! }
//!
//! entropy_conformance::check(|seed| Box::new(SplitMix(AtomicU64::new(seed))) as Box<dyn Entropy>);
//! ```

use std::collections::BTreeSet;

use super::{Laws, expect};
use crate::{Entropy, check_laws};

/// Draws of each law: enough that no sound stream is unlucky once in the life of the universe.
const DRAWS: usize = 4_096;

/// Checks every law, and panics with those that do not hold. `stream` begins the stream of a seed.
pub fn check(stream: impl Fn(u64) -> Box<dyn Entropy>) {
    judge(stream).assert_hold();
}

/// Checks every law, and says which do not hold.
pub fn judge(stream: impl Fn(u64) -> Box<dyn Entropy>) -> Laws {
    let mut laws = Laws::of("Entropy");
    check_laws!(laws now:
        a_seed_repeats_its_stream(&stream),
        another_seed_is_another_stream(&stream),
        every_bit_is_drawn_as_often_as_not(&stream),
        no_number_comes_again_soon(&stream),
        a_unit_is_below_one_and_anywhere(&stream),
        a_bound_is_never_reached_and_all_below_is(&stream),
    );
    laws
}

fn draw(entropy: &dyn Entropy) -> Vec<u64> {
    (0..DRAWS).map(|_| entropy.next_u64()).collect()
}

/// The law: also when another stream of the same seed is drawn from in between.
fn a_seed_repeats_its_stream(stream: impl Fn(u64) -> Box<dyn Entropy>) {
    for seed in [0, 1, u64::MAX] {
        let (one, other) = (stream(seed), stream(seed));
        let numbers = draw(one.as_ref());
        one.next_u64();
        expect(format!("the first numbers of seed {seed}"), &numbers[..8], &draw(other.as_ref())[..8]);
    }
}

fn another_seed_is_another_stream(stream: impl Fn(u64) -> Box<dyn Entropy>) {
    let of = |seed| draw(stream(seed).as_ref()).into_iter().collect::<BTreeSet<u64>>();
    let (zero, one, two) = (of(0), of(1), of(2));
    for (name, one, other) in [("0 and 1", &zero, &one), ("1 and 2", &one, &two), ("0 and 2", &zero, &two)] {
        expect(format!("numbers that seeds {name} share"), 0, one.intersection(other).count());
    }
}

fn every_bit_is_drawn_as_often_as_not(stream: impl Fn(u64) -> Box<dyn Entropy>) {
    let numbers = draw(stream(7).as_ref());
    for bit in 0..u64::BITS {
        let set = numbers.iter().filter(|number| *number >> bit & 1 == 1).count();
        let often = DRAWS * 2 / 5..DRAWS * 3 / 5;
        assert!(often.contains(&set), "bit {bit}: expected it set in {often:?} of {DRAWS}, got {set}");
    }
}

fn no_number_comes_again_soon(stream: impl Fn(u64) -> Box<dyn Entropy>) {
    let numbers: BTreeSet<u64> = draw(stream(7).as_ref()).into_iter().collect();
    expect("different numbers", DRAWS, numbers.len());
}

fn a_unit_is_below_one_and_anywhere(stream: impl Fn(u64) -> Box<dyn Entropy>) {
    let entropy = stream(7);
    let mut tenths = [0_usize; 10];
    for _ in 0..DRAWS {
        let unit = entropy.unit();
        assert!((0.0..1.0).contains(&unit), "a unit: expected it in 0..1, got {unit}");
        let tenth = (0..10_u8).rev().find(|tenth| unit >= f64::from(*tenth) / 10.0).unwrap_or(0);
        tenths[usize::from(tenth)] += 1;
    }
    assert!(
        tenths.iter().all(|count| *count > DRAWS / 20),
        "tenths: expected about {}, got {tenths:?}",
        DRAWS / 10
    );
}

fn a_bound_is_never_reached_and_all_below_is(stream: impl Fn(u64) -> Box<dyn Entropy>) {
    let entropy = stream(7);
    expect("below 0", 0, entropy.below(0));
    expect("below 1", 0, entropy.below(1));
    let below: BTreeSet<u64> = (0..DRAWS).map(|_| entropy.below(7)).collect();
    expect("below 7", (0..7).collect::<BTreeSet<u64>>(), below);
    let high = (0..DRAWS).filter(|_| entropy.below(u64::MAX) > u64::MAX / 2).count();
    let often = DRAWS * 2 / 5..DRAWS * 3 / 5;
    assert!(often.contains(&high), "the upper half: expected {often:?} of {DRAWS}, got {high}");
}
