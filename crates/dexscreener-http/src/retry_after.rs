//! Reads a `Retry-After` header (RFC 9110 §10.2.3). It does not decide whether to obey.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Longer waits are cut to this: a day is more than any caller sleeps, and keeps later arithmetic small.
const LONGEST: Duration = Duration::from_hours(24);

/// How long the far side asks to wait; none when it does not say, or not in a way that can be read.
///
/// A date is measured from the answer's own `Date`, so that the clocks of the two machines need not agree; without
/// one it means nothing.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let value = text(RETRY_AFTER)?;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a number, and a large one.
        return Some(value.parse().map_or(LONGEST, Duration::from_secs).min(LONGEST));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let from = httpdate::parse_http_date(text(DATE)?).ok()?;
    Some(until.duration_since(from).unwrap_or_default().min(LONGEST))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    const NOON: &str = "Fri, 06 Nov 2026 12:00:00 GMT";

    fn parse(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static(NOON));
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).expect("a header value"));
        retry_after(&headers)
    }

    #[test]
    fn seconds_are_seconds_and_huge_ones_a_day() {
        assert_eq!(parse("0"), Some(Duration::ZERO));
        assert_eq!(parse(" 120 "), Some(Duration::from_mins(2)));
        assert_eq!(parse("86401"), Some(LONGEST));
        assert_eq!(parse("99999999999999999999999999"), Some(LONGEST));
    }

    #[test]
    fn a_date_counts_from_the_date_of_the_answer() {
        assert_eq!(parse("Fri, 06 Nov 2026 12:01:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(parse("Friday, 06-Nov-26 12:00:05 GMT"), Some(Duration::from_secs(5)));
        assert_eq!(parse("Fri, 06 Nov 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("Fri, 06 Nov 2099 12:00:00 GMT"), Some(LONGEST));
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for value in ["", "-5", "+5", "1.5", "soon", "5 s", "0x10", "Fri, 99 Nov 2026 12:00:00 GMT"] {
            assert_eq!(parse(value), None, "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
        let mut undated = HeaderMap::new();
        undated.insert(RETRY_AFTER, HeaderValue::from_static(NOON));
        assert_eq!(retry_after(&undated), None);
    }
}
