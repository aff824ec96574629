//! Maps errors of the transport and error responses to what the caller does next, with a message that a person can act
//! on.

use std::error::Error;
use std::time::Duration;

use reqwest::StatusCode;
use ttm_market::PairSourceError;

use crate::gzip::UnpackError;
use crate::{Undecodable, mend};

/// The maximum length of an untrusted text in a message.
const SHOWN: usize = 80;
/// The maximum length of a URL in a message.
const SHOWN_ADDRESS: usize = 200;

/// The HTTP client could not be created: in practice, the machine has no root certificates.
#[derive(Debug, thiserror::Error)]
#[error("cannot create the HTTP client for the DexScreener API: {}", root_cause(.0))]
pub struct BuildError(#[source] reqwest::Error);

impl BuildError {
    pub(crate) fn new(error: reqwest::Error) -> Self {
        Self(error.without_url())
    }
}

/// A response, as far as messages need it; of the body of an error only the start.
pub(crate) struct Answer<'a> {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    fn is_html(&self) -> bool {
        let is_called_so = |text: &str| {
            let start = text.trim_ascii_start().get(..9);
            start.is_some_and(|start| start.eq_ignore_ascii_case("text/html"))
        };
        self.content_type.is_some_and(is_called_so) || self.text().starts_with(b"<")
    }

    fn text(&self) -> &[u8] {
        mend::without_mark(self.body).trim_ascii_start()
    }

    /// N of the plain text `error code: N` of Cloudflare.
    fn cloudflare_code(&self) -> Option<u32> {
        let text = self.text().strip_prefix(b"error code:")?.trim_ascii_start();
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).take(6);
        Some(digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
    }

    /// The start of a message: `403, an HTML page`.
    fn said(&self) -> String {
        let status = self.status.as_u16();
        if self.text().is_empty() {
            format!("{status}, no body")
        } else if self.is_html() {
            format!("{status}, an HTML page")
        } else {
            let content_type = self.content_type.and_then(|text| text.split(';').next()).unwrap_or("no type");
            let text = String::from_utf8_lossy(self.body);
            format!("{status}, {}: {:?}", shown(content_type, SHOWN), shown(&text, SHOWN))
        }
    }
}

/// No complete response arrived.
pub(crate) fn of_transport(error: reqwest::Error, timeout: Duration) -> PairSourceError {
    let error = error.without_url();
    let message = if error.is_timeout() && !error.is_connect() {
        format!("no complete response within {timeout:?}")
    } else {
        let what = if error.is_connect() {
            "cannot connect"
        } else if error.is_body() || error.is_decode() {
            "the connection was lost in the middle of the body"
        } else {
            "the connection was lost"
        };
        format!("{what}: {}", root_cause(&error))
    };
    transient(message, None, Some(Box::new(error)))
}

/// The error of the system or the TLS library; the layers above add nothing.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    shown(&cause.to_string(), 2 * SHOWN)
}

/// A response whose status is not 200; `location` is the target of a redirect.
pub(crate) fn of_status(
    answer: &Answer<'_>,
    retry_after: Option<Duration>,
    location: Option<&str>,
) -> PairSourceError {
    // The code of Cloudflare is more precise than the status.
    if let Some(error) = of_cloudflare_code(answer, retry_after) {
        return error;
    }
    let message = answer.said();
    match answer.status.as_u16() {
        429 => PairSourceError::RateLimited { message, retry_after },
        401 | 403 | 451 => PairSourceError::Forbidden { message },
        408 | 425 | 500..=599 => transient(message, retry_after, None),
        400..=499 => PairSourceError::Rejected { message },
        status @ 300..=399 => {
            let to = location
                .map_or_else(|| "an unknown location".to_owned(), |address| shown(address, SHOWN_ADDRESS));
            PairSourceError::Malformed { message: format!("{status}, a redirect to {to}") }
        }
        _ => PairSourceError::Malformed { message },
    }
}

/// A body with status 200 that is not JSON but the message of a proxy.
pub(crate) fn of_non_json(answer: &Answer<'_>, retry_after: Option<Duration>) -> Option<PairSourceError> {
    of_cloudflare_code(answer, retry_after)
        .or_else(|| answer.is_html().then(|| transient(answer.said(), retry_after, None)))
}

/// A body with status 200 that should have been JSON.
pub(crate) fn of_undecodable(error: &Undecodable) -> PairSourceError {
    PairSourceError::Malformed { message: format!("200, {}", shown(&error.to_string(), 2 * SHOWN)) }
}

/// `null` instead of a list: the API returns it under load even for known tokens.
pub(crate) fn of_null() -> PairSourceError {
    transient("200, null instead of a list".to_owned(), None, None)
}

/// A body that is too large or cannot be decompressed.
pub(crate) fn of_body(error: &UnpackError) -> PairSourceError {
    PairSourceError::Malformed { message: format!("200, {error}") }
}

/// The plain text `error code: N` of Cloudflare: 1015 is its rate limit; 1006 to 1010 and 1020 refuse the client;
/// the others are failures between Cloudflare and the API.
fn of_cloudflare_code(answer: &Answer<'_>, retry_after: Option<Duration>) -> Option<PairSourceError> {
    let code = answer.cloudflare_code()?;
    let message = format!("{}, Cloudflare's error code {code}", answer.status.as_u16());
    Some(match code {
        1015 => PairSourceError::RateLimited { message, retry_after },
        1006..=1010 | 1020 => PairSourceError::Forbidden { message },
        _ => transient(message, retry_after, None),
    })
}

fn transient(
    message: String,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
) -> PairSourceError {
    PairSourceError::Transient { message, retry_after, source }
}

/// An untrusted text for a log line: truncated, and without control characters.
fn shown(text: &str, most: usize) -> String {
    text.trim().chars().filter(|character| !character.is_control()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, body: &[u8]) -> PairSourceError {
        let status = StatusCode::from_u16(code).expect("a status");
        of_status(&Answer { status, content_type: Some("text/plain; charset=utf-8"), body }, None, None)
    }

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
    fn each_status_maps_to_what_the_caller_does_next() {
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
            let error = status(code, b"");
            assert_eq!(class(&error), expected, "{code}");
            assert!(error.to_string().starts_with(&format!("{code}, ")), "{error}");
        }
    }

    #[test]
    fn the_code_of_cloudflare_takes_precedence_over_the_status() {
        assert_eq!(class(&status(403, b"error code: 1015")), "rate limited");
        assert_eq!(class(&status(403, b"\xef\xbb\xbferror code: 1020")), "forbidden");
        assert_eq!(class(&status(403, b"error code: 521")), "transient");
        assert_eq!(class(&status(403, b"error code: 99999999999999999999")), "transient");
        let said = "403, Cloudflare's error code 1015: the API limits this client's rate";
        assert_eq!(status(403, b"error code: 1015").to_string(), said);
    }

    #[test]
    fn a_message_has_the_status_and_the_kind_of_the_body() {
        let page = "403, an HTML page: the API refuses this client";
        assert_eq!(status(403, b" <!DOCTYPE html>").to_string(), page);
        let called_so = Answer { status: StatusCode::FORBIDDEN, content_type: Some("Text/HTML"), body: b"x" };
        assert_eq!(of_status(&called_so, None, None).to_string(), page);
        assert_eq!(status(503, b"").to_string(), "503, no body");
        let busy = status(429, b"slow down");
        assert_eq!(busy.to_string(), "429, text/plain: \"slow down\": the API limits this client's rate");
        let nameless = Answer { status: StatusCode::NOT_FOUND, content_type: None, body: b"no" };
        let error = of_status(&nameless, None, None);
        assert_eq!(error.to_string(), "404, no type: \"no\": the API rejects the request");
    }

    #[test]
    fn a_message_has_one_short_line_of_the_body() {
        let long = "x".repeat(5_000);
        assert!(status(400, long.as_bytes()).to_string().len() < 200);
        assert!(!status(400, b"a\nb\x1b[31m").to_string().contains(['\n', '\x1b']));
        let long_type = Answer { status: StatusCode::OK, content_type: Some(&long), body: b"x" };
        assert!(long_type.said().len() < 200);
    }
}
