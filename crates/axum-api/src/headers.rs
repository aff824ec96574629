//! The security headers of every response, including those that are written without the router.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

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
