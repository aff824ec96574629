//! State shared by the handlers: published snapshots, the stores once they are open, what operators use, and the permit to render a response.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use ttm_alert::AlertControl;
use ttm_breaker::BreakerControl;
use ttm_health::HealthView;
use ttm_kernel::{Runtime, StoreError, within};
use ttm_market::TokenView;
use ttm_perf::{EventStore, MetricStore, SeriesKey};
use ttm_recovery::RecoveryControl;

use crate::ApiConfig;
use crate::problem::Problem;

/// What responses are made from.
#[derive(Clone)]
pub struct ApiState {
    /// The latest health report.
    pub health: Arc<dyn HealthView>,
    /// The tokens as last published.
    pub tokens: Arc<dyn TokenView>,
    /// The stores that are queried; set once they are open. Until then the paths that need them answer 503, and all others
    /// work already.
    pub stores: Arc<OnceLock<Stores>>,
    /// What operators see and order; set once the service has started. Until then the paths that need it answer 503.
    pub controls: Arc<OnceLock<Controls>>,
    /// The kinds of events that this version of the service records. Other versions may have stored others.
    pub event_kinds: &'static [&'static str],
    /// The series of this process that is meant by a key that does not say of which process.
    pub own_series: OwnSeries,
    /// Is told of each request that was answered; must not block.
    pub served: Served,
    /// Time, for deadlines and for relative times such as `24h`.
    pub runtime: Arc<dyn Runtime>,
    /// Renders the metrics as Prometheus text; must not block.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// Completes a key that does not say of which process it is. `None` if the key leaves out nothing.
pub type OwnSeries = Arc<dyn Fn(&SeriesKey) -> Option<SeriesKey> + Send + Sync>;

/// Hears of a request that was answered: its route, and how long that took.
pub type Served = Arc<dyn Fn(&str, Duration) + Send + Sync>;

/// The stores that requests query.
#[derive(Clone)]
pub struct Stores {
    /// The history of every metric.
    pub history: Arc<dyn MetricStore>,
    /// The record of events.
    pub events: Arc<dyn EventStore>,
}

/// What operators see and order.
#[derive(Clone)]
pub struct Controls {
    /// The breakers.
    pub breakers: Arc<dyn BreakerControl>,
    /// Parts and recoveries.
    pub recovery: Arc<dyn RecoveryControl>,
    /// Alerts, silences and channels.
    pub alerts: Arc<dyn AlertControl>,
}

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) state: ApiState,
    pub(crate) config: Arc<ApiConfig>,
    /// One response is rendered at a time.
    rendering: Arc<Semaphore>,
}

impl App {
    pub(crate) fn new(state: ApiState, config: Arc<ApiConfig>) -> Self {
        Self { state, config, rendering: Arc::new(Semaphore::new(1)) }
    }

    /// The stores, or the problem to return before they are open.
    pub(crate) fn stores(&self) -> Result<&Stores, Problem> {
        self.state.stores.get().ok_or_else(|| {
            Problem::unavailable(
                "the service is starting and its store is not open yet; /health/ready is 200 once it is",
            )
        })
    }

    /// What operators use, or the problem to return before the service has started.
    pub(crate) fn controls(&self) -> Result<&Controls, Problem> {
        self.state.controls.get().ok_or_else(|| {
            Problem::unavailable("the service is starting; /health/ready is 200 once it has started")
        })
    }

    /// Renders a response that takes time, such as a page of a thousand tokens. All of them run on one thread, and rendering
    /// does not yield: concurrent ones queue for the permit, and the yield between two of them lets other requests run. So a
    /// probe waits for at most one of them, however many are queued.
    pub(crate) async fn render<T: IntoResponse>(&self, render: impl FnOnce() -> T) -> Response {
        let permit = self.rendering.acquire().await;
        tokio::task::yield_now().await;
        let response = render().into_response();
        drop(permit);
        response
    }

    /// Waits for a query to a store, up to the timeout of the history.
    pub(crate) async fn query<T, E: Into<Problem>>(
        &self,
        store: &str,
        query: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Problem> {
        let limit = self.config.history_timeout;
        let runtime = &*self.state.runtime;
        match within(runtime, runtime.now() + limit, query).await {
            Ok(answer) => answer.map_err(E::into),
            Err(_) => Err(Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                format!("the {store} did not answer within {} s", limit.as_secs()),
            )),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.may_pass() {
            Self::unavailable(error.to_string())
        } else {
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
    }
}
