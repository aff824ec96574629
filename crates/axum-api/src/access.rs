//! Who may see what. It knows one token and no users.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use crate::ApiConfig;
use crate::problem::Problem;

/// The secret of the configured bearer; never printed.
#[derive(Clone)]
pub(crate) struct Token(Box<[u8]>);

/// What a caller may see; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everything.
    Full,
    /// The words of health.
    StatusOnly,
}

impl Token {
    pub(crate) fn new(text: String) -> Self {
        Self(text.into_bytes().into())
    }

    /// In constant time for texts of one length; the length is no secret. An empty token opens nothing.
    fn is(&self, given: &[u8]) -> bool {
        !self.0.is_empty() && self.0.ct_eq(given).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl ApiConfig {
    fn access(&self, headers: &HeaderMap) -> Access {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        let known = match (&self.token, given) {
            (Some(token), Some(given)) => token.is(given),
            _ => false,
        };
        if known || !self.is_guarded() { Access::Full } else { Access::StatusOnly }
    }
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
        let token = Token::new("abc".to_owned());
        assert!(token.is(b"abc"));
        assert!(!token.is(b"ABC") && !token.is(b"ab") && !token.is(b""));
        assert!(!Token::new(String::new()).is(b""));
        assert_eq!(format!("{token:?}"), "[secret]");
    }

    #[test]
    fn paths_that_only_begin_like_health_are_not_health() {
        assert!(is_health("/health") && is_health("/health/live"));
        assert!(!is_health("/healthy") && !is_health("/api/health"));
    }
}
