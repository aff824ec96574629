//! How long each route takes, told to whoever keeps such figures.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::ApiState;

/// What is asked for on no route.
const OTHER: &str = "other";

/// Measures a request from its head to the head of its answer. The routes are few, whatever callers ask for.
pub(crate) async fn measure(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| spelt(path.as_str()));
    let started = state.runtime.now();
    let response = next.run(request).await;
    (state.served)(route.as_deref().unwrap_or(OTHER), state.runtime.now() - started);
    response
}

/// A route with the characters of a label: `/api/v1/tokens/:mint`.
fn spelt(route: &str) -> String {
    route.replace('{', ":").replace('}', "")
}
