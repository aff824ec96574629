//! Streams of chance that start from the operating system's randomness. Good for jitter, not for secrets.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use ttm_kernel::Entropy;

/// One stream; every one starts somewhere else, also under the same name.
pub(crate) struct SeededStream(Mutex<Xoshiro256PlusPlus>);

impl SeededStream {
    /// A stream that starts at a place nobody can foresee.
    pub(crate) fn start(name: &str) -> Self {
        // The keys of a `RandomState` come from the operating system, and no two in a process are equal.
        let seed = RandomState::new().hash_one(name);
        Self(Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)))
    }
}

impl Entropy for SeededStream {
    fn next_u64(&self) -> u64 {
        // A draw cannot panic halfway, so the state behind a poisoned lock is still good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }
}
