//! The exchange stand-in on a runtime of its own, for programs that are told its address.

use std::sync::Arc;

use tokio::runtime::Runtime;
use ttm_exchange_sim::{Exchange, ExchangeConfig, ExchangeHandle, Fault, Latency};
use ttm_market::Mint;
use ttm_tokio_runtime::TokioRuntime;

/// A running exchange.
pub struct Market {
    exchange: ExchangeHandle,
    _runtime: Runtime,
}

/// An exchange with this many tokens that answers at once.
pub fn market(tokens: usize) -> Market {
    start(tokens, Vec::new())
}

/// One that answers everything with 503, for longer than any test takes.
pub fn market_that_is_down(tokens: usize) -> Market {
    start(tokens, vec!["at 0s for 1h: 503".parse().expect("a fault")])
}

/// One that accepts every request and never answers, for longer than any test takes.
pub fn market_that_hangs(tokens: usize) -> Market {
    start(tokens, vec!["at 0s for 1h: hang".parse().expect("a fault")])
}

fn start(tokens: usize, faults: Vec<Fault>) -> Market {
    let runtime = Runtime::new().expect("threads can be started");
    let config = ExchangeConfig::new(7, tokens).latency(Latency::NONE).faults(faults);
    let clock = Arc::new(TokioRuntime::new(runtime.handle().clone()));
    let exchange = runtime.block_on(Exchange::start(config, clock)).expect("a loopback port is free");
    Market { exchange, _runtime: runtime }
}

impl Market {
    /// Where it answers.
    pub fn base_url(&self) -> String {
        self.exchange.base_url()
    }

    /// How many requests it got.
    pub fn requests(&self) -> u64 {
        self.exchange.stats().total()
    }

    /// Its tokens.
    pub fn mints(&self) -> Vec<Mint> {
        self.exchange.mints().collect()
    }
}
