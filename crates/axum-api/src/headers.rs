//! The security headers of every response, including those that are written without the router.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use jiff::fmt::rfc2822::DateTimePrinter;
use ttm_kernel::Runtime;

/// Responses are snapshots that must not be cached, and a browser must not execute, frame or sniff them.
pub(crate) const SECURITY: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Sets them, overriding what a handler set.
pub(crate) async fn harden(mut response: Response) -> Response {
    let headers = SECURITY.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    response
}

/// Sets the time of the response: that of the server below stands still while a wall clock that was set back catches up.
pub(crate) async fn say_when(State(runtime): State<Arc<dyn Runtime>>, mut response: Response) -> Response {
    let now = DateTimePrinter::new().timestamp_to_rfc9110_string(&runtime.wall());
    if let Some(now) = now.ok().and_then(|now| HeaderValue::from_str(&now).ok()) {
        response.headers_mut().insert(header::DATE, now);
    }
    response
}
