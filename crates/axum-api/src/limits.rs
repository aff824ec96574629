//! Limits around every request: its size, the number in flight and a timeout; and the response after a panic.

use std::any::Any;
use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use ttm_kernel::{Runtime, within};

use crate::ApiConfig;
use crate::access::is_health;
use crate::problem::Problem;

/// Longer than any valid request target.
pub(crate) const MAX_TARGET_BYTES: usize = 8 * 1024;
/// No endpoint takes a larger body.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// Refuses requests that are too large.
pub(crate) async fn limit_size(request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET_BYTES {
        let detail = format!("the target has {target} bytes, expected at most {MAX_TARGET_BYTES}");
        return Problem::new(StatusCode::URI_TOO_LONG, detail).into_response();
    }
    let body = request.body().size_hint().lower();
    if body > MAX_BODY_BYTES as u64 {
        let detail = format!("the body has {body} bytes, expected at most {MAX_BODY_BYTES}");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response();
    }
    next.run(request).await
}

/// Refuses requests above the limit in flight. Health is never shed: it matters most under overload.
pub(crate) async fn shed_load(State(slots): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    if is_health(request.uri().path()) {
        return next.run(request).await;
    }
    let Ok(_slot) = slots.try_acquire() else {
        return Problem::unavailable("too many requests in flight; retry in a second").into_response();
    };
    next.run(request).await
}

/// Gives up a request that takes too long.
pub(crate) async fn time_out(
    State((runtime, config)): State<(Arc<dyn Runtime>, Arc<ApiConfig>)>,
    request: Request,
    next: Next,
) -> Response {
    let limit = config.request_timeout;
    match within(&*runtime, runtime.now() + limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::unavailable(format!("the request timed out after {} s", limit.as_secs())).into_response()
        }
    }
}

/// The response after a panic in a handler. Its message is logged only: it may contain anything.
pub(crate) fn panicked(_message: Box<dyn Any + Send>) -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error; the log of the service has the details")
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt;
    use ttm_testkit::ManualRuntime;

    use super::*;

    #[test]
    fn a_handler_that_hangs_is_given_up() {
        let runtime = ManualRuntime::new(1);
        let config = Arc::new(ApiConfig::new(([127, 0, 0, 1], 0).into(), None));
        let limit = config.request_timeout;
        let timeout: (Arc<dyn Runtime>, _) = (Arc::new(runtime.clone()), config);
        let stuck = Router::new()
            .route("/", get(std::future::pending::<()>))
            .layer(from_fn_with_state(timeout, time_out));
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let response = runtime.block_on(stuck.oneshot(request)).expect("routers never fail");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ttm_kernel::Clock::now(&runtime).since_origin(), limit);
    }
}
