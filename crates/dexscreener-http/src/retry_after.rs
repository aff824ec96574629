//! Finds the headers `Retry-After` and `Date`, which `ttm_retry` parses.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use ttm_retry::parse_retry_after;

/// How long upstream asks to wait; `None` if it does not, or not in a readable form.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    parse_retry_after(text(RETRY_AFTER)?, text(DATE))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const NOON: &[u8] = b"Fri, 06 Nov 2026 12:00:00 GMT";

    #[track_caller]
    fn check(headers: &[(HeaderName, &[u8])], wait: Option<Duration>) {
        let value = |bytes| HeaderValue::from_bytes(bytes).expect("a header value");
        let headers = headers.iter().map(|(name, bytes)| (name.clone(), value(bytes))).collect();
        assert_eq!(retry_after(&headers), wait);
    }

    #[test]
    fn both_headers_are_used_and_invalid_ones_ignored() {
        check(&[], None);
        check(&[(DATE, NOON)], None);
        check(&[(RETRY_AFTER, b" 120 ")], Some(Duration::from_mins(2)));
        check(&[(RETRY_AFTER, NOON)], None);
        check(
            &[(RETRY_AFTER, b"Fri, 06 Nov 2026 12:01:30 GMT"), (DATE, NOON)],
            Some(Duration::from_secs(90)),
        );
        check(&[(RETRY_AFTER, b"\xff\xff"), (DATE, NOON)], None);
        check(&[(RETRY_AFTER, b"5"), (DATE, b"\xff")], Some(Duration::from_secs(5)));
    }
}
