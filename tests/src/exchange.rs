//! The exchange stand-in on a runtime of its own.

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

/// An exchange with this many tokens and no latency.
pub fn market(tokens: usize) -> Market {
    start(tokens, Vec::new())
}

/// One that answers 503 to everything.
pub fn market_that_is_down(tokens: usize) -> Market {
    start(tokens, vec!["at 0s for 1h: 503".parse().expect("a fault")])
}

/// One that never answers.
pub fn market_that_hangs(tokens: usize) -> Market {
    start(tokens, vec!["at 0s for 1h: hang".parse().expect("a fault")])
}

fn start(tokens: usize, faults: Vec<Fault>) -> Market {
    let runtime = Runtime::new().expect("a runtime");
    let config = ExchangeConfig::new(7, tokens).latency(Latency::NONE).faults(faults);
    let clock = Arc::new(TokioRuntime::new(runtime.handle().clone()));
    let exchange = runtime.block_on(Exchange::start(config, clock)).expect("a free port");
    Market { exchange, _runtime: runtime }
}

impl Market {
    /// Its base URL.
    pub fn base_url(&self) -> String {
        self.exchange.base_url()
    }

    /// The number of requests so far.
    pub fn requests(&self) -> u64 {
        self.exchange.stats().total()
    }

    /// Its tokens.
    pub fn mints(&self) -> Vec<Mint> {
        self.exchange.mints().collect()
    }
}
