//! How long a receiver asks to wait: the headers `Retry-After` and `Date`, which `ttm_retry` parses, or seconds in a body.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use ttm_retry::parse_retry_after;

/// No answer asks for more than a day, as with the header.
const LONGEST: Duration = Duration::from_hours(24);

pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    parse_retry_after(text(RETRY_AFTER)?, text(DATE))
}

/// Seconds as some bodies have them, with or without a fraction.
pub(crate) fn of_seconds(seconds: f64) -> Option<Duration> {
    let wait = Duration::try_from_secs_f64(seconds.min(LONGEST.as_secs_f64()));
    wait.ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nonsense_is_not() {
        let of = |headers: &[(HeaderName, &'static str)]| {
            let pairs = headers.iter().map(|(name, text)| (name.clone(), HeaderValue::from_static(text)));
            of_headers(&pairs.collect())
        };
        assert_eq!(of(&[(RETRY_AFTER, "120")]), Some(Duration::from_mins(2)));
        let noon = (DATE, "Fri, 06 Nov 2026 12:00:00 GMT");
        assert_eq!(
            of(&[(RETRY_AFTER, "Fri, 06 Nov 2026 12:01:30 GMT"), noon]),
            Some(Duration::from_secs(90))
        );
        assert_eq!(of(&[(RETRY_AFTER, "soon")]), None);
        assert_eq!(of_seconds(0.65), Some(Duration::from_millis(650)));
        assert_eq!(of_seconds(1e300), Some(LONGEST));
        for nonsense in [-1.0, f64::NEG_INFINITY] {
            assert_eq!(of_seconds(nonsense), None, "{nonsense}");
        }
    }
}
