//! Every port that the service stands on. Which adapter is behind one, only `compose` and the simulator know.

use std::sync::Arc;

use ttm_breaker::BreakerStore;
use ttm_health::ResourceSource;
use ttm_kernel::{Runtime, StoreLease};
use ttm_market::{PairSource, ProfileSource, TokenSource, TokenStore};
use ttm_perf::{EventStore, MetricStore};

/// The outside, as the service sees it.
#[derive(Clone)]
pub struct Ports {
    /// The lease on the store of the tokens.
    pub lease: Arc<dyn StoreLease>,
    /// The price API.
    pub pairs: Arc<dyn PairSource>,
    /// Tokens and their newest scores.
    pub tokens: Arc<dyn TokenStore>,
    /// Lists of tokens that are kept elsewhere, each of another origin; the store follows them.
    pub sources: Vec<Arc<dyn TokenSource>>,
    /// The newest profiles of tokens; none where new tokens are not to be followed.
    pub profiles: Option<Arc<dyn ProfileSource>>,
    /// The state of the breakers, fenced by the epochs of the tokens.
    pub breakers: Arc<dyn BreakerStore>,
    /// The history of every metric.
    pub history: Arc<dyn MetricStore>,
    /// The record of what happened.
    pub events: Arc<dyn EventStore>,
    /// What this process uses.
    pub resources: Arc<dyn ResourceSource>,
}

/// The two runtimes: a job that blocks or spins in the work plane can neither stall the supervision plane nor make the
/// process look alive. They share one clock.
#[derive(Clone)]
pub struct Planes {
    /// Runs the groups, the API calls and the store writers.
    pub work: Arc<dyn Runtime>,
    /// Runs the monitors and the health endpoints.
    pub supervision: Arc<dyn Runtime>,
}
