//! Access control by one bearer token: with the right token a caller sees everything, without it only the status of
//! health, and the page of a link that carries a signature of its own. There are no users and no roles.

use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::problem::Problem;
use crate::{ApiConfig, ack_links};

/// What a caller may see; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everything.
    Full,
    /// The status of health endpoints.
    StatusOnly,
}

impl ApiConfig {
    fn access(&self, headers: &HeaderMap) -> Access {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        let known = match (&self.token, given) {
            (Some(token), Some(given)) => matches(token, given),
            _ => false,
        };
        if known || !self.is_guarded() { Access::Full } else { Access::StatusOnly }
    }
}

/// Compares in constant time when the lengths agree; the length is not secret. An empty token grants no access.
fn matches(token: &SecretString, given: &[u8]) -> bool {
    let token = token.expose_secret().as_bytes();
    !token.is_empty() && token.ct_eq(given).into()
}

/// The credentials of `Bearer …`; the scheme is case-insensitive (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, credentials) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(credentials.trim_ascii())
}

/// Whether a path is a health endpoint: it shows its status to every caller, and is never shed.
pub(crate) fn is_health(path: &str) -> bool {
    path == "/health" || path.starts_with("/health/")
}

/// Whether a path is that of links that carry a signature, which its handler checks.
pub(crate) fn is_signed(path: &str) -> bool {
    path == ack_links::PATH
}

/// Marks every request with what its caller may see; without the token, everything but health and signed links is 401.
pub(crate) async fn authenticate(
    State(config): State<Arc<ApiConfig>>,
    mut request: Request,
    next: Next,
) -> Response {
    // A proxy in front may pick the other one of the two, and then authorizes a different caller than this does.
    if request.headers().get_all(header::AUTHORIZATION).into_iter().nth(1).is_some() {
        return Problem::bad_request("the header Authorization is given twice").into_response();
    }
    let access = config.access(request.headers());
    let path = request.uri().path();
    if access == Access::StatusOnly && !is_health(path) && !is_signed(path) {
        return Problem::unauthorized().into_response();
    }
    request.extensions_mut().insert(access);
    next.run(request).await
}

fn is_order(request: &Request) -> bool {
    matches!(*request.method(), Method::POST | Method::DELETE)
}

/// Lets an order pass: it needs a configured token, which [`authenticate`] has compared then. A browser
/// sends no `Authorization` on behalf of a page of another origin unless the listener permits it, which it never does.
pub(crate) async fn order(State(config): State<Arc<ApiConfig>>, request: Request, next: Next) -> Response {
    if !is_order(&request) {
        return next.run(request).await;
    }
    if config.token.is_none() {
        return Problem::new(
            StatusCode::FORBIDDEN,
            "orders need a bearer token, and none is configured: write one of at least 16 characters to a file that only \
             its owner may read, name that file in api.token_file or TTM_API__TOKEN_FILE, and restart the service",
        )
        .into_response();
    }
    if request.extensions().get() != Some(&Access::Full) {
        return Problem::unauthorized().into_response();
    }
    next.run(request).await
}

/// Lets an order pass that says all in its path: it carries no body.
pub(crate) async fn without_body(request: Request, next: Next) -> Response {
    if is_order(&request) && !request.body().is_end_stream() {
        return Problem::bad_request("an order carries no body").into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_case_insensitive_and_the_token_is_not() {
        assert_eq!(bearer(b"bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"Basic abc"), None);
        assert_eq!(bearer(b"Bear"), None);
        let token = SecretString::from("abc");
        assert!(matches(&token, b"abc"));
        assert!(!matches(&token, b"ABC") && !matches(&token, b"ab") && !matches(&token, b""));
        assert!(!matches(&SecretString::from(""), b""));
        let config = ApiConfig::new(([127, 0, 0, 1], 0).into(), Some("hunter2".into()));
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn paths_that_only_look_like_those_that_need_no_token_need_it() {
        assert!(is_health("/health") && is_health("/health/live"));
        assert!(!is_health("/healthy") && !is_health("/api/health"));
        assert!(is_signed("/alerts/ack"));
        for path in ["/alerts/ack/", "/alerts/acks", "//alerts/ack", "/alerts/%61ck", "/api/v1/alerts/ack"] {
            assert!(!is_signed(path), "{path}");
        }
    }
}
