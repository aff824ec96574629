//! Who may see what. It knows one token and no users.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::ApiConfig;
use crate::problem::Problem;

/// What a caller may see; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everything.
    Full,
    /// The words of health.
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

/// Constant time for credentials of the token's length; the length is not secret. An empty token grants no access.
fn matches(token: &SecretString, given: &[u8]) -> bool {
    let token = token.expose_secret().as_bytes();
    !token.is_empty() && token.ct_eq(given).into()
}

/// The credentials of `Bearer …`; the scheme's name has no case (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, credentials) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(credentials.trim_ascii())
}

/// Whether a path is one of health: open to everyone in words, and never shed.
pub(crate) fn is_health(path: &str) -> bool {
    path == "/health" || path.starts_with("/health/")
}

/// Marks every request with what its caller may see, and turns strangers away from everything but health.
pub(crate) async fn authenticate(
    State(config): State<Arc<ApiConfig>>,
    mut request: Request,
    next: Next,
) -> Response {
    // One of two could be anybody's: which one counts, a proxy before this and this would tell differently.
    if request.headers().get_all(header::AUTHORIZATION).into_iter().nth(1).is_some() {
        return Problem::bad_request("the header Authorization is given twice").into_response();
    }
    let access = config.access(request.headers());
    if access == Access::StatusOnly && !is_health(request.uri().path()) {
        return Problem::unauthorized().into_response();
    }
    request.extensions_mut().insert(access);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_has_no_case_and_the_token_has() {
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
    fn paths_that_only_begin_like_health_are_not_health() {
        assert!(is_health("/health") && is_health("/health/live"));
        assert!(!is_health("/healthy") && !is_health("/api/health"));
    }
}
