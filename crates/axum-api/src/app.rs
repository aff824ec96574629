//! What handlers share: the published snapshots, the stores once they are open, and the permit to build a large answer.

use std::sync::{Arc, OnceLock};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use ttm_health::HealthView;
use ttm_kernel::{Runtime, StoreError, within};
use ttm_market::TokenView;
use ttm_perf::{EventStore, MetricStore};

use crate::ApiConfig;
use crate::problem::Problem;

/// What the answers are made from.
#[derive(Clone)]
pub struct ApiState {
    /// The last health report.
    pub health: Arc<dyn HealthView>,
    /// The tokens as last published.
    pub tokens: Arc<dyn TokenView>,
    /// What is asked of a store; set once the stores are open. Until then those paths answer 503, and everything else
    /// answers already.
    pub stores: Arc<OnceLock<Stores>>,
    /// The kinds of events that the service makes. Others may be stored, of another version.
    pub event_kinds: &'static [&'static str],
    /// Time, for deadlines and for what `24h` ago is.
    pub runtime: Arc<dyn Runtime>,
    /// Writes the metrics as Prometheus text; must not wait.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// The stores that answers wait for, and nothing else does.
#[derive(Clone)]
pub struct Stores {
    /// The history of every metric.
    pub history: Arc<dyn MetricStore>,
    /// The record of events.
    pub events: Arc<dyn EventStore>,
}

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) state: ApiState,
    pub(crate) config: Arc<ApiConfig>,
    /// One answer that takes time to be made is made at once.
    turn: Arc<Semaphore>,
}

impl App {
    pub(crate) fn new(state: ApiState, config: Arc<ApiConfig>) -> Self {
        Self { state, config, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The stores, or what to tell whoever asks before they are open.
    pub(crate) fn stores(&self) -> Result<&Stores, Problem> {
        self.state.stores.get().ok_or_else(|| {
            Problem::busy("the service is starting: its store is not open yet; /health/ready says when it is")
        })
    }

    /// Makes an answer that takes time, as a page of a thousand tokens does. All answers are made on one thread, and who
    /// makes one does not let go of it: of those that come at once, each waits for its turn, and between two turns the
    /// thread hears whoever else has come. So a probe waits for one of them, however many there are.
    pub(crate) async fn made<T: IntoResponse>(&self, make: impl FnOnce() -> T) -> Response {
        let turn = self.turn.acquire().await;
        tokio::task::yield_now().await;
        let answer = make().into_response();
        drop(turn);
        answer
    }

    /// Waits for a store, but not for long.
    pub(crate) async fn asked<T>(
        &self,
        store: &str,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Problem> {
        let limit = self.config.history_timeout;
        let runtime = &*self.state.runtime;
        match within(runtime, runtime.now() + limit, question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.may_pass() => Err(Problem::busy(error.to_string())),
            Ok(Err(error)) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
            Err(_) => Err(Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                format!("the {store} gave no answer within {} s", limit.as_secs()),
            )),
        }
    }
}
