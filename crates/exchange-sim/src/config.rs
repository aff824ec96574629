//! What the stand-in serves and how badly. Every combination of values is usable; a bad address is found at the start.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ttm_kernel::Entropy;
use ttm_market::Mint;

use crate::{Fault, Poison};

/// How long an answer takes before its first byte: uniform in `mean ± spread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// The middle.
    pub mean: Duration,
    /// The most that an answer is faster or slower; what would be below zero is zero.
    pub spread: Duration,
}

impl Latency {
    /// Answers as fast as it can.
    pub const NONE: Self = Self { mean: Duration::ZERO, spread: Duration::ZERO };

    /// One latency.
    pub(crate) fn draw(self, entropy: &dyn Entropy) -> Duration {
        let offset = self.spread.mul_f64(2.0 * entropy.unit());
        (self.mean + offset).saturating_sub(self.spread)
    }
}

impl Default for Latency {
    /// 80 ± 60 ms: an API on the same continent behind a content network.
    fn default() -> Self {
        Self { mean: Duration::from_millis(80), spread: Duration::from_millis(60) }
    }
}

/// What a stand-in serves.
#[derive(Clone, Debug, PartialEq)]
pub struct ExchangeConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) chain: Box<str>,
    pub(crate) seed: u64,
    pub(crate) tokens: usize,
    pub(crate) latency: Latency,
    pub(crate) faults: Vec<Fault>,
    pub(crate) poisoned: BTreeMap<Mint, Poison>,
}

impl ExchangeConfig {
    /// A market of `tokens` tokens on Solana, on any free loopback port, with the default latency and without faults.
    pub fn new(seed: u64, tokens: usize) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            chain: "solana".into(),
            seed,
            tokens,
            latency: Latency::default(),
            faults: Vec::new(),
            poisoned: BTreeMap::new(),
        }
    }

    /// Listens here instead; only loopback addresses are accepted at the start.
    #[must_use]
    pub fn listen(self, listen: SocketAddr) -> Self {
        Self { listen, ..self }
    }

    /// Serves this chain instead; others are unknown.
    #[must_use]
    pub fn chain(self, chain: &str) -> Self {
        Self { chain: chain.into(), ..self }
    }

    /// Answers with this latency instead.
    #[must_use]
    pub fn latency(self, latency: Latency) -> Self {
        Self { latency, ..self }
    }

    /// Goes wrong by this script. Where two faults overlap, the first in the list wins.
    #[must_use]
    pub fn faults(self, faults: Vec<Fault>) -> Self {
        Self { faults, ..self }
    }

    /// Spoils every request that names one of these mints too, in batches and singly, for as long as it runs. Where the
    /// script has a fault that is on, that one wins.
    #[must_use]
    pub fn poison(mut self, mints: impl IntoIterator<Item = Mint>, poison: Poison) -> Self {
        self.poisoned.extend(mints.into_iter().map(|mint| (mint, poison)));
        self
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
    fn latencies_stay_inside_their_range() {
        let millis = |latency: Latency, bits| latency.draw(&Fixed(bits)).as_millis();
        assert_eq!(millis(Latency::default(), 0), 20);
        assert_eq!(millis(Latency::default(), 1 << 63), 80);
        assert_eq!(millis(Latency::default(), u64::MAX), 140);
        assert_eq!(millis(Latency::NONE, u64::MAX), 0);
        let wide = Latency { mean: Duration::from_millis(5), spread: Duration::from_secs(1) };
        assert_eq!(millis(wide, 0), 0);
    }
}
