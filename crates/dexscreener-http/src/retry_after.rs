//! Finds the two headers that say how long to wait. It reads neither: that is `ttm_retry`'s.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use ttm_retry::parse_retry_after;

/// How long the far side asks to wait; none when it does not say, or not in a way that can be read.
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
    fn both_headers_are_read_and_what_is_no_text_says_nothing() {
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
