//! The configuration of the stand-in. Every combination of values is valid; the address is checked at the start.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ttm_kernel::Entropy;
use ttm_market::Mint;

use crate::{Fault, Poison};

/// The time before the first byte of a response: uniform in `mean ± spread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// The mean.
    pub mean: Duration,
    /// The largest deviation; a negative latency becomes zero.
    pub spread: Duration,
}

impl Latency {
    /// No latency.
    pub const NONE: Self = Self { mean: Duration::ZERO, spread: Duration::ZERO };

    /// Draws one latency.
    pub(crate) fn draw(self, entropy: &dyn Entropy) -> Duration {
        let offset = self.spread.mul_f64(2.0 * entropy.unit());
        (self.mean + offset).saturating_sub(self.spread)
    }
}

impl Default for Latency {
    /// 80 ± 60 ms: an API behind a CDN on the same continent.
    fn default() -> Self {
        Self { mean: Duration::from_millis(80), spread: Duration::from_millis(60) }
    }
}

/// The configuration of a stand-in.
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

    /// Sets the address; the start refuses any but loopback.
    #[must_use]
    pub fn listen(self, listen: SocketAddr) -> Self {
        Self { listen, ..self }
    }

    /// Sets the chain; others are unknown.
    #[must_use]
    pub fn chain(self, chain: &str) -> Self {
        Self { chain: chain.into(), ..self }
    }

    /// Sets the latency.
    #[must_use]
    pub fn latency(self, latency: Latency) -> Self {
        Self { latency, ..self }
    }

    /// Sets the fault script. Of overlapping faults, the first in the list applies.
    #[must_use]
    pub fn faults(self, faults: Vec<Fault>) -> Self {
        Self { faults, ..self }
    }

    /// Makes every request with one of these mints fail, batch or single. An active fault of the script takes
    /// precedence.
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
