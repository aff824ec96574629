//! From what went wrong on the wire to what the caller does next. It knows no bodies beyond their first line.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::StatusCode;
use ttm_market::PairSourceError;

use crate::Undecodable;

/// The HTTP client could not be made: no usable TLS on this machine, in practice no root certificates.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the HTTP client for the DexScreener API")]
pub struct BuildError(#[source] reqwest::Error);

impl BuildError {
    pub(crate) fn new(error: reqwest::Error) -> Self {
        Self(error.without_url())
    }
}

/// No usable answer arrived.
pub(crate) fn of_transport(error: reqwest::Error) -> PairSourceError {
    let error = error.without_url();
    let message = if error.is_timeout() {
        "the request timed out"
    } else if error.is_connect() {
        "cannot connect"
    } else if is_garbled(&error) {
        return PairSourceError::Malformed { message: "the compressed body is broken".to_owned() };
    } else if error.is_body() || error.is_decode() {
        "the connection was lost in the middle of the body"
    } else {
        "the connection was lost"
    };
    transient(message.to_owned(), None, Some(Box::new(error)))
}

/// Whether the body arrived but does not decompress. The client calls a connection that is lost meanwhile a failure to
/// decode as well; only the cause below tells the two apart.
fn is_garbled(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(below) = cause {
        if below.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::InvalidData) {
            return true;
        }
        cause = below.source();
    }
    false
}

/// An answer whose status is not 200; `excerpt` is the start of its body.
pub(crate) fn of_status(
    status: StatusCode,
    retry_after: Option<Duration>,
    excerpt: &[u8],
) -> PairSourceError {
    // Cloudflare's verdict is more precise than the status that it comes with.
    if let Some(error) = of_cloudflare_code(excerpt, retry_after) {
        return error;
    }
    let message = format!("status {}, {}", status.as_u16(), shown(excerpt));
    match status.as_u16() {
        429 => PairSourceError::RateLimited { retry_after },
        401 | 403 | 451 => PairSourceError::Forbidden { message },
        408 | 425 | 500..=599 => transient(message, retry_after, None),
        400..=499 => PairSourceError::Rejected { message },
        _ => PairSourceError::Malformed { message },
    }
}

/// A body with status 200 that is not JSON but a message of something in between.
pub(crate) fn of_non_json(
    content_type: Option<&str>,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Option<PairSourceError> {
    if let Some(error) = of_cloudflare_code(body, retry_after) {
        return Some(error);
    }
    let html = content_type.is_some_and(|value| value.trim_ascii_start().starts_with("text/html"));
    (html || body.trim_ascii_start().starts_with(b"<"))
        .then(|| transient("status 200, an HTML page".to_owned(), retry_after, None))
}

/// A body with status 200 that should have been JSON.
pub(crate) fn of_undecodable(error: &Undecodable) -> PairSourceError {
    PairSourceError::Malformed { message: error.to_string() }
}

/// `null` where a list belongs: the API says so under load, about tokens that it knows.
pub(crate) fn of_null() -> PairSourceError {
    transient("null instead of a list".to_owned(), None, None)
}

/// A body that would not end.
pub(crate) fn of_too_large(limit: usize) -> PairSourceError {
    PairSourceError::Malformed { message: format!("the body is larger than {limit} bytes") }
}

/// The plain text `error code: N` of Cloudflare: 1015 is its rate limit; 1006 to 1010 and 1020 refuse the client;
/// the others are troubles between it and the API.
fn of_cloudflare_code(body: &[u8], retry_after: Option<Duration>) -> Option<PairSourceError> {
    let text = body.trim_ascii_start().strip_prefix(b"error code:")?.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).take(6);
    let code = digits.fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    Some(match code {
        1015 => PairSourceError::RateLimited { retry_after },
        1006..=1010 | 1020 => PairSourceError::Forbidden { message: format!("error code: {code}") },
        _ => transient(format!("error code: {code}"), retry_after, None),
    })
}

fn transient(
    message: String,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
) -> PairSourceError {
    PairSourceError::Transient { message, retry_after, source }
}

/// The start of a body as it may stand in a log line.
fn shown(excerpt: &[u8]) -> String {
    let text = String::from_utf8_lossy(excerpt);
    let text = text.trim();
    if text.is_empty() {
        "no body".to_owned()
    } else if text.starts_with('<') {
        "an HTML page".to_owned()
    } else {
        let start: String = text.chars().filter(|character| !character.is_control()).take(80).collect();
        format!("{start:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(error: &PairSourceError) -> &'static str {
        match error {
            PairSourceError::Transient { .. } => "transient",
            PairSourceError::RateLimited { .. } => "rate limited",
            PairSourceError::Forbidden { .. } => "forbidden",
            PairSourceError::Rejected { .. } => "rejected",
            PairSourceError::Malformed { .. } => "malformed",
        }
    }

    #[test]
    fn a_status_says_what_the_caller_does_next() {
        for (code, expected) in [
            (429, "rate limited"),
            (401, "forbidden"),
            (403, "forbidden"),
            (400, "rejected"),
            (404, "rejected"),
            (414, "rejected"),
            (408, "transient"),
            (500, "transient"),
            (503, "transient"),
            (530, "transient"),
            (204, "malformed"),
            (302, "malformed"),
        ] {
            let status = StatusCode::from_u16(code).expect("a status");
            assert_eq!(class(&of_status(status, None, b"")), expected, "{code}");
        }
    }

    #[test]
    fn the_code_of_cloudflare_wins_over_the_status() {
        let forbidden = StatusCode::FORBIDDEN;
        assert_eq!(class(&of_status(forbidden, None, b"error code: 1015")), "rate limited");
        assert_eq!(class(&of_status(forbidden, None, b"error code: 1020")), "forbidden");
        assert_eq!(class(&of_status(forbidden, None, b"error code: 521")), "transient");
        assert_eq!(class(&of_status(forbidden, None, b"error code: 99999999999999999999")), "transient");
    }

    #[test]
    fn a_message_shows_one_short_line_of_the_body() {
        let status = StatusCode::BAD_REQUEST;
        let long = "x".repeat(5_000);
        assert!(of_status(status, None, long.as_bytes()).to_string().len() < 200);
        assert!(!of_status(status, None, b"a\nb\x1b[31m").to_string().contains(['\n', '\x1b']));
        assert!(of_status(status, None, b"<!DOCTYPE html>").to_string().ends_with("an HTML page"));
    }
}
