//! Durations and times as they are written in a query.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Timestamp};

/// What [`duration`] reads, for a message.
pub(crate) const DURATION: &str = "a duration such as 30s, 1m, 24h or 1h30m";
/// What [`time`] reads, for a message.
pub(crate) const TIME: &str =
    "a time such as 2026-01-31T12:00:00Z, seconds since 1970, now, or how long ago as in 24h or now-24h";

/// A duration of units up to weeks; a day has 24 hours.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.try_into().ok()
}

/// A time, absolute or relative to `now`.
pub(crate) fn time(text: &str, now: Timestamp) -> Option<Timestamp> {
    if text == "now" {
        return Some(now);
    }
    if let Some(ago) = duration(text.strip_prefix("now-").unwrap_or(text)) {
        return now.checked_sub(ago).ok();
    }
    if let Ok(seconds) = text.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units_up_to_weeks() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds("1h30m"), Some(5400));
        assert_eq!(seconds("2w1d"), Some(15 * 86_400));
        assert_eq!(seconds("1.5h"), Some(5400));
        for bad in ["", "s", "5", "-1h", "1h ago", "1y", "1mo", "1é", "99999999999999999999s"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_absolute_or_relative_to_now() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        let read = |text| time(text, now).map(|time| time.to_string());
        assert_eq!(read("now").as_deref(), Some("2026-01-31T12:00:00Z"));
        assert_eq!(read("24h").as_deref(), Some("2026-01-30T12:00:00Z"));
        assert_eq!(read("now-90s").as_deref(), Some("2026-01-31T11:58:30Z"));
        assert_eq!(read("1769860800").as_deref(), Some("2026-01-31T12:00:00Z"));
        assert_eq!(read("2026-01-31T14:00:00+02:00").as_deref(), Some("2026-01-31T12:00:00Z"));
        for bad in ["", "yesterday", "now+1h", "2026-01-31", "99999999999999w", "9223372036854775807"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
