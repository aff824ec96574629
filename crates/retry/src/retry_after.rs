//! Reads a `Retry-After` header (RFC 9110 §10.2.3). Whether to obey it is decided elsewhere.

use std::time::Duration;

/// Longer waits are cut to this: a day is more than any caller sleeps, and keeps later arithmetic small.
const LONGEST: Duration = Duration::from_hours(24);

/// How long the upstream asks to wait, at most 24 hours; none if the value cannot be parsed.
///
/// `value` is the header's value, and `date` that of the same answer's `Date`, if it had one.
/// - Seconds are digits alone. However many there are, they are a number; more than a day is a day.
/// - A date, in any of the three formats of RFC 9110 §5.6.7, is measured from `date`, so that the clocks of the two machines
///   need not agree. One in the past is no wait; one without a `date` is ignored.
/// - Everything else is ignored: a sign, a fraction, a unit, an empty value. A negative wait does not mean "at once".
///
/// ```
/// # use std::time::Duration;
/// # use ttm_retry::parse_retry_after;
/// assert_eq!(parse_retry_after("120", None), Some(Duration::from_secs(120)));
/// let (until, from) = ("Fri, 06 Nov 2026 12:01:30 GMT", "Fri, 06 Nov 2026 12:00:00 GMT");
/// assert_eq!(parse_retry_after(until, Some(from)), Some(Duration::from_secs(90)));
/// assert_eq!(parse_retry_after("-5", None), None);
/// ```
pub fn parse_retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a number, and a large one.
        return Some(value.parse().map_or(LONGEST, Duration::from_secs).min(LONGEST));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let from = httpdate::parse_http_date(date?.trim()).ok()?;
    Some(until.duration_since(from).unwrap_or_default().min(LONGEST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: &str = "Fri, 06 Nov 2026 12:00:00 GMT";

    fn parse(value: &str) -> Option<Duration> {
        parse_retry_after(value, Some(NOON))
    }

    #[test]
    fn seconds_are_seconds_and_huge_ones_a_day() {
        assert_eq!(parse("0"), Some(Duration::ZERO));
        assert_eq!(parse(" 120 "), Some(Duration::from_mins(2)));
        assert_eq!(parse("00007"), Some(Duration::from_secs(7)));
        assert_eq!(parse("86400"), Some(LONGEST));
        assert_eq!(parse("86401"), Some(LONGEST));
        assert_eq!(parse("18446744073709551616"), Some(LONGEST));
        assert_eq!(parse("99999999999999999999999999"), Some(LONGEST));
    }

    #[test]
    fn a_date_in_any_of_the_three_formats_counts_from_the_date_of_the_answer() {
        assert_eq!(parse("Fri, 06 Nov 2026 12:01:30 GMT"), Some(Duration::from_secs(90)));
        assert_eq!(parse("Friday, 06-Nov-26 12:00:05 GMT"), Some(Duration::from_secs(5)));
        assert_eq!(parse("Fri Nov  6 12:00:07 2026"), Some(Duration::from_secs(7)));
        assert_eq!(parse("Fri, 06 Nov 2099 12:00:00 GMT"), Some(LONGEST));
    }

    #[test]
    fn a_date_in_the_past_is_no_wait() {
        assert_eq!(parse("Fri, 06 Nov 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parse(NOON), Some(Duration::ZERO));
    }

    #[test]
    fn a_date_says_nothing_when_the_answer_has_none_of_its_own() {
        assert_eq!(parse_retry_after(NOON, None), None);
        assert_eq!(parse_retry_after(NOON, Some("yesterday")), None);
        assert_eq!(parse_retry_after("5", Some("yesterday")), Some(Duration::from_secs(5)));
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let unreadable = [
            "",
            " ",
            "-5",
            "-0",
            "+5",
            "1.5",
            "1e3",
            "soon",
            "5 s",
            "5, 6",
            "0x10",
            "\u{665}",
            "٣",
            "inf",
            "Fri, 99 Nov 2026 12:00:00 GMT",
            "Fri, 06 Nov 2026 12:00:00 CET",
            "2026-11-06T12:00:00Z",
        ];
        for value in unreadable {
            assert_eq!(parse(value), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_at_all_makes_it_panic_or_wait_for_more_than_a_day(
            value in any::<String>(),
            date in any::<Option<String>>(),
        ) {
            prop_assert!(parse_retry_after(&value, date.as_deref()).is_none_or(|wait| wait <= LONGEST));
        }

        #[test]
        fn nor_does_text_that_nearly_is_a_date(
            value in "[A-Z][a-z]{2,8},? [0-9]{2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9]{2}:[0-9]{2}:[0-9]{2}( GMT)?",
            date in "(Mon|Fri), [0-3][0-9] (Jan|Feb|Dec) [0-9]{4} [0-2][0-9]:[0-6][0-9]:[0-6][0-9] GMT",
        ) {
            prop_assert!(parse_retry_after(&value, Some(&date)).is_none_or(|wait| wait <= LONGEST));
            prop_assert!(parse_retry_after(&date, Some(&value)).is_none_or(|wait| wait <= LONGEST));
        }

        #[test]
        fn any_number_of_seconds_is_itself_up_to_a_day(seconds: u64) {
            let wait = Duration::from_secs(seconds).min(LONGEST);
            prop_assert_eq!(parse_retry_after(&seconds.to_string(), None), Some(wait));
        }
    }
}
