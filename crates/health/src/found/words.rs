//! Durations in words.

use std::time::Duration;

use jiff::SignedDuration;

/// A duration in words: `2m 5s`, below ten seconds with milliseconds.
pub(super) fn spoken(duration: Duration) -> String {
    let rounded = if duration < Duration::from_secs(10) {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_secs(duration.as_secs())
    };
    format!("{:#}", SignedDuration::try_from(rounded).unwrap_or(SignedDuration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_without_false_precision() {
        assert_eq!(spoken(Duration::from_millis(125_900)), "2m 5s");
        assert_eq!(spoken(Duration::from_micros(2_345_678)), "2s 345ms");
        assert_eq!(spoken(Duration::ZERO), "0s");
        assert!(!spoken(Duration::MAX).is_empty());
    }
}
