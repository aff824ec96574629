//! Limits around every request: its size, how many are answered at once, a deadline, and the answer to a panic.

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

/// Longer than any question that this surface understands.
pub(crate) const MAX_TARGET_BYTES: usize = 8 * 1024;
/// No endpoint takes more than a small form.
const MAX_BODY_BYTES: u64 = 64 * 1024;

/// Turns away what is larger than anything that is answered.
pub(crate) async fn small(request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET_BYTES {
        let detail = format!("the target has {target} bytes, expected at most {MAX_TARGET_BYTES}");
        return Problem::new(StatusCode::URI_TOO_LONG, detail).into_response();
    }
    let body = request.body().size_hint().lower();
    if body > MAX_BODY_BYTES {
        let detail = format!("the body has {body} bytes, expected at most {MAX_BODY_BYTES}");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response();
    }
    next.run(request).await
}

/// Turns away what is too much. Health is never shed: it is asked most when there is too much of everything.
pub(crate) async fn shed(State(slots): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    if is_health(request.uri().path()) {
        return next.run(request).await;
    }
    let Ok(_slot) = slots.try_acquire() else {
        return Problem::busy("too many requests at once; try again in a second").into_response();
    };
    next.run(request).await
}

/// Ends what takes too long.
pub(crate) async fn bound(
    State((runtime, config)): State<(Arc<dyn Runtime>, Arc<ApiConfig>)>,
    request: Request,
    next: Next,
) -> Response {
    let limit = config.request_timeout;
    match within(&*runtime, runtime.now() + limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::busy(format!("no answer within {} s", limit.as_secs())).into_response(),
    }
}

/// The answer when a handler panicked. The message stays in the log: it may hold anything.
pub(crate) fn panicked(_message: Box<dyn Any + Send>) -> Response {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the answer could not be made; the service's log has the reason",
    )
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
    fn an_answer_that_never_comes_is_given_up() {
        let runtime = ManualRuntime::new(1);
        let config = Arc::new(ApiConfig::new(([127, 0, 0, 1], 0).into(), None));
        let limit = config.request_timeout;
        let deadline: (Arc<dyn Runtime>, _) = (Arc::new(runtime.clone()), config);
        let stuck = Router::new()
            .route("/", get(std::future::pending::<()>))
            .layer(from_fn_with_state(deadline, bound));
        let request = Request::get("/").body(Body::empty()).expect("a request");
        let response = runtime.block_on(stuck.oneshot(request)).expect("routers never fail");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ttm_kernel::Clock::now(&runtime).since_origin(), limit);
    }
}
