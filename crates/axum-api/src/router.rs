//! Which path is answered by whom, and what surrounds every answer. It holds no answer of its own, but for the paths
//! and methods that do not exist.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use ttm_health::HealthView;
use ttm_kernel::{Runtime, StoreError, within};
use ttm_market::TokenView;
use ttm_perf::{EventStore, MetricStore};

use crate::access::authenticate;
use crate::fences::{bound, harden, panicked, shed, small};
use crate::host::named;
use crate::problem::{Problem, quoted};
use crate::{ApiConfig, events, health, history, tokens};

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

/// The surface.
pub fn router(state: ApiState, config: ApiConfig) -> Router {
    let config = Arc::new(config);
    let slots = Arc::new(Semaphore::new(config.max_requests));
    let app = App { state, config: config.clone(), turn: Arc::new(Semaphore::new(1)) };
    let deadline = (app.state.runtime.clone(), config.clone());
    let health = Router::new()
        .route("/", get(health::overall))
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .route("/startup", get(health::startup))
        .route("/detailed", get(health::detailed))
        .route("/scheduler", get(health::scheduler))
        .route("/resources", get(health::resources))
        .route("/apis", get(health::apis))
        .route("/data-freshness", get(health::data_freshness));
    Router::new()
        .nest("/health", health)
        .route("/metrics", get(exposition))
        .route("/api/v1/tokens", get(tokens::page))
        .route("/api/v1/tokens/{mint}", get(tokens::one))
        .route("/api/v1/metrics", get(history::series))
        .route("/api/v1/metrics/{series}", get(history::range))
        .route("/api/v1/events", get(events::page))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(app)
        .layer(from_fn_with_state(deadline, bound))
        .layer(from_fn_with_state(slots, shed))
        .layer(from_fn_with_state(config.clone(), authenticate))
        .layer(from_fn_with_state(config, named))
        .layer(from_fn(small))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(harden))
}

async fn exposition(State(app): State<App>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    app.made(|| (kind, (app.state.metrics)())).await
}

async fn no_such_path(request: Request) -> Problem {
    Problem::not_found(format!(
        "there is nothing at {}; there is /health, /metrics, /api/v1/tokens, /api/v1/metrics and /api/v1/events",
        quoted(request.uri().path())
    ))
}

async fn no_such_method(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not answer {method}; the header Allow names what it does", quoted(path)),
    )
}
