//! Error responses as problem documents (RFC 9457).

use std::fmt;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ttm_recovery::EntryKey;

use crate::dto::ProblemDto;
use crate::headers::SECURITY;

const PROBLEM_JSON: &str = "application/problem+json";

fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

/// A status and one sentence: what is wrong, where, and what was expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), header: None }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 404 for a name that is not in `known`, with the one that may be meant; `list` says where to find the known ones.
    pub(crate) fn unknown<'a>(
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
        list: &str,
    ) -> Self {
        Self::not_found(unknown(what, name, known, list))
    }

    pub(crate) fn unauthorized() -> Self {
        let mut problem = Self::new(
            StatusCode::UNAUTHORIZED,
            "this listener requires the token of api.token_file for everything but the status of /health; send the \
             header Authorization: Bearer <token>",
        );
        problem.header = Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        problem
    }

    /// The whole response as bytes, for a request that never reaches the router; the connection is closed after it.
    /// `date` is a header line, or empty.
    pub(crate) fn on_the_wire(self, date: &str) -> Vec<u8> {
        let status = self.status;
        let body = serde_json::to_string(&self.document()).unwrap_or_default();
        let security = SECURITY
            .iter()
            .fold(String::new(), |lines, (name, value)| lines + &format!("{name}: {value}\r\n"));
        let (code, title, length) = (status.as_str(), title(status), body.len());
        format!(
            "HTTP/1.1 {code} {title}\r\nconnection: close\r\ncontent-type: {PROBLEM_JSON}\r\n\
             content-length: {length}\r\n{security}{date}\r\n{body}"
        )
        .into_bytes()
    }

    fn document(self) -> ProblemDto {
        ProblemDto {
            kind: "about:blank",
            title: title(self.status),
            status: self.status.as_u16(),
            detail: self.detail,
        }
    }

    /// 503 with `Retry-After`.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        problem.header = Some((header::RETRY_AFTER, HeaderValue::from_static("1")));
        problem
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, header) = (self.status, self.header.clone());
        let mut response = (status, Json(self.document())).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response.headers_mut().extend(header);
        response
    }
}

/// That nothing has this name, with the one that may be meant; `list` says where to find the known ones.
pub(crate) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    list: &str,
) -> String {
    let near = known.into_iter().map(|known| (strsim::jaro_winkler(name, known), known));
    let nearest = near.filter(|(near, _)| *near > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = nearest.map(|(_, known)| format!("; did you mean {}?", quoted(known))).unwrap_or_default();
    format!("unknown {what} {}{hint}; {list}", quoted(name))
}

/// That no breaker has this name, as the API says it.
pub fn unknown_breaker(name: &str, known: &[String]) -> String {
    let list = format!("the breakers are {}", known.join(", "));
    unknown("breaker", name, known.iter().map(String::as_str), &list)
}

/// That no recovery with this id is remembered, as the API says it.
pub fn unknown_recovery(id: &str) -> String {
    // One that looks alike is not meant.
    unknown(
        "recovery",
        id,
        [],
        "/api/v1/recoveries, or `ttm recovery` without an id, lists those that are remembered",
    )
}

/// The id of a recovery.
///
/// # Errors
/// That this is none, as the API says it.
pub fn recovery_id(text: &str) -> Result<EntryKey, String> {
    EntryKey::parse(text)
        .ok_or_else(|| format!("{} is no id of a recovery; one looks like 12-3", quoted(text)))
}

/// Text from a request inside a message: quoted, escaped and truncated.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(LONGEST).collect();
    let more = if characters.next().is_some() { "…" } else { "" };
    format!("{start:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_request_is_quoted_escaped_and_truncated() {
        assert_eq!(quoted("a\n\"b\""), r#""a\n\"b\"""#);
        assert_eq!(quoted(&"x".repeat(200)).chars().count(), 83);
    }

    #[test]
    fn an_id_of_a_recovery_is_two_numbers_as_they_are_shown() {
        assert_eq!(recovery_id("12-3").expect("an id").to_string(), "12-3");
        for text in ["x", "12", "12-", "-3", "12-03", "+12-3", "12-3-4", "12-99999999999999999999", ""] {
            assert_eq!(
                recovery_id(text),
                Err(format!("{text:?} is no id of a recovery; one looks like 12-3"))
            );
        }
    }
}
