//! The routes, and the layers around all of them: the outermost measures, the next sets headers, then panics are caught, sizes and hosts
//! checked, callers authenticated, load shed and a timeout applied.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response, map_response_with_state};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use ttm_breaker::Order;

use crate::access::authenticate;
use crate::app::{ApiState, App};
use crate::headers::{harden, say_when};
use crate::host::check_host;
use crate::limits::{MAX_BODY_BYTES, limit_size, panicked, shed_load, time_out};
use crate::problem::{Problem, quoted};
use crate::{
    ApiConfig, access, ack_links, ack_page, alerts, breakers, events, health, history, quiets, recoveries,
    timing, tokens,
};

/// The HTTP API.
pub fn router(state: ApiState, config: ApiConfig) -> Router {
    let config = Arc::new(config);
    let slots = Arc::new(Semaphore::new(config.max_requests));
    let (timeout, runtime) = ((state.runtime.clone(), config.clone()), state.runtime.clone());
    let (timing, app) = (state.clone(), App::new(state, config.clone()));
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
    let ordering = |order| post(move |state, path, uri| breakers::order(order, state, path, uri));
    let orders = Order::ALL.into_iter().fold(Router::new(), |router, order| {
        router.route(&format!("/breakers/{{name}}/{order}"), ordering(order))
    });
    let orders = orders
        .route("/parts/{part}/restart", post(recoveries::restart))
        .route("/scheduler/{group}/restart", post(recoveries::restart_group))
        .route("/silences/{id}", delete(quiets::end_silence))
        .route("/maintenance/{id}", delete(quiets::end_window))
        .route_layer(from_fn(access::without_body));
    let orders = orders
        .route("/alerts/{id}/ack", post(alerts::acknowledge))
        .route("/alerts/{id}/tell-again", post(alerts::tell_again))
        .route("/silences", get(quiets::silences).post(quiets::begin_silence))
        .route("/maintenance", get(quiets::windows).post(quiets::begin_window))
        .route_layer(from_fn_with_state(config.clone(), access::order));
    Router::new()
        .nest("/health", health)
        .nest("/api/v1", orders)
        .route("/metrics", get(exposition))
        .route("/api/v1/tokens", get(tokens::page))
        .route("/api/v1/tokens/{mint}", get(tokens::one))
        .route("/api/v1/metrics", get(history::series))
        .route("/api/v1/metrics/{series}", get(history::range))
        .route("/api/v1/events", get(events::page))
        .route("/api/v1/breakers", get(breakers::list))
        .route("/api/v1/recoveries", get(recoveries::page))
        .route("/api/v1/recoveries/{id}", get(recoveries::one))
        .route("/api/v1/parts", get(recoveries::parts))
        .route("/api/v1/alerts", get(alerts::list))
        .route("/api/v1/alerts/{id}", get(alerts::one))
        .route("/api/v1/alerts/channels", get(alerts::channels))
        .route("/api/v1/alerts/dead-letters", get(alerts::dead_letters))
        .route("/api/v1/alerts/rules", get(alerts::rules))
        .route(ack_links::PATH, get(ack_page::show).post(ack_page::acknowledge))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .with_state(app)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(timeout, time_out))
        .layer(from_fn_with_state(slots, shed_load))
        .layer(from_fn_with_state(config.clone(), authenticate))
        .layer(from_fn_with_state(config, check_host))
        .layer(from_fn(limit_size))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(map_response(harden))
        .layer(map_response_with_state(runtime, say_when))
        .layer(from_fn_with_state(timing, timing::measure))
}

async fn exposition(State(app): State<App>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    app.render(|| (kind, (app.state.metrics)())).await
}

async fn no_such_path(request: Request) -> Problem {
    Problem::not_found(format!(
        "no such path {}; try /health, /metrics, or under /api/v1 /tokens, /metrics, /events, /breakers, /recoveries, /parts, /alerts, /silences or /maintenance",
        quoted(request.uri().path())
    ))
}

async fn no_such_method(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not support {method}; see the Allow header", quoted(path)),
    )
}
