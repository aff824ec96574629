//! Which level a figure has reached.

use std::time::Duration;

use crate::{LastLevel, Level, Levels, Limit, Status};

/// A figure that was not measured for longer than the API's own window has no level any more.
const FORGOTTEN: Duration = Duration::from_mins(5);

/// The status of a value, and the limit of the level that it has reached. A level is reached at its entry once the value has been
/// there for as long as it has to, and left once it has been below its exit for `clears_after`, so that a value that hovers there changes
/// nothing; `last` is the level until now, and is updated. NaN is unknown and resolves nothing; but after [`FORGOTTEN`] without
/// a value the next one is judged as the first.
pub(super) fn level(
    value: f64,
    levels: &Levels,
    clears_after: Duration,
    last: &mut LastLevel,
    uptime: Duration,
) -> (Status, Limit) {
    if value.is_nan() {
        return (Status::Unknown, levels.warning);
    }
    let goes_on = uptime.saturating_sub(last.at) <= FORGOTTEN;
    let before = if goes_on { *last } else { LastLevel::default() };
    let since = |limit: Limit, since: Option<Duration>| {
        (value >= limit.enter).then(|| since.map_or(uptime, |since| since.min(uptime)))
    };
    let warning_since = since(levels.warning, before.warning_since);
    let critical_since = since(levels.critical, before.critical_since);
    let is_at = |level, limit: Limit, since: Option<Duration>| {
        let is_entered = since.is_some_and(|since| uptime.saturating_sub(since) >= levels.hold);
        is_entered || before.level >= level && value >= limit.exit
    };
    let level = if is_at(Level::Critical, levels.critical, critical_since) {
        Level::Critical
    } else if is_at(Level::Warning, levels.warning, warning_since) {
        Level::Warning
    } else {
        Level::None
    };
    let is_held = level < before.level && uptime.saturating_sub(before.reached) < clears_after;
    let (level, reached) = if is_held { (before.level, before.reached) } else { (level, uptime) };
    *last = LastLevel { level, at: uptime, reached, warning_since, critical_since };
    match level {
        Level::Critical => (Status::Critical, levels.critical),
        Level::Warning => (Status::Degraded, levels.warning),
        Level::None => (Status::Healthy, levels.warning),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: Levels = Levels::new([70.0, 65.0], [80.0, 75.0]);
    const WELL: Status = Status::Healthy;
    const DEGRADED: Status = Status::Degraded;
    const CRITICAL: Status = Status::Critical;

    fn seconds(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    /// The status at each second with its value.
    #[track_caller]
    fn check(levels: &Levels, clears_after: Duration, seen: &[(u64, f64, Status)]) {
        let mut last = LastLevel::default();
        for (second, value, expected) in seen {
            let (status, _) = level(*value, levels, clears_after, &mut last, seconds(*second));
            assert_eq!(status, *expected, "{value} at {second} s");
        }
    }

    #[test]
    fn a_level_is_reached_at_its_own_value_and_nan_reaches_none() {
        for (value, expected) in
            [(69.9, WELL), (70.0, DEGRADED), (79.9, DEGRADED), (80.0, CRITICAL), (f64::NAN, Status::Unknown)]
        {
            check(&LEVELS, Duration::ZERO, &[(1, value, expected)]);
        }
    }

    #[test]
    fn each_level_is_left_below_its_exit() {
        let mut last = LastLevel::default();
        let mut judge = |value| level(value, &LEVELS, Duration::ZERO, &mut last, seconds(3_600));
        assert_eq!(judge(80.0), (CRITICAL, LEVELS.critical));
        assert_eq!(judge(75.0), (CRITICAL, LEVELS.critical));
        assert_eq!(judge(74.9), (DEGRADED, LEVELS.warning));
        assert_eq!(judge(79.9).0, DEGRADED, "it has been left");
        assert_eq!(judge(f64::NAN).0, Status::Unknown);
        assert_eq!(judge(65.0).0, DEGRADED, "what is not known resolves nothing");
        assert_eq!(judge(64.9).0, WELL);
        assert_eq!(judge(69.9).0, WELL);
    }

    #[test]
    fn a_level_is_left_once_the_value_has_been_below_its_exit_for_long_enough() {
        let steps = [
            (1_000, 72.0, DEGRADED),
            (1_200, 10.0, DEGRADED),
            (1_299, 66.0, DEGRADED),
            (1_301, 10.0, DEGRADED),
            (1_598, 10.0, DEGRADED),
            (1_599, 10.0, WELL),
            // A worse level is reached at once.
            (1_700, 80.0, CRITICAL),
            (1_999, 72.0, CRITICAL),
            (2_000, 72.0, DEGRADED),
            (2_299, 10.0, DEGRADED),
            (2_300, 10.0, WELL),
        ];
        check(&LEVELS, Duration::from_mins(5), &steps);
    }

    #[test]
    fn a_level_with_a_hold_is_reached_once_the_value_has_been_there_for_that_long() {
        let levels = Levels { hold: Duration::from_mins(2), ..LEVELS };
        let steps = [
            (100, 90.0, WELL),
            (219, 75.0, WELL),
            (220, 90.0, DEGRADED),
            // The worse level had to begin anew.
            (339, 90.0, DEGRADED),
            (340, 90.0, CRITICAL),
            (341, 75.0, CRITICAL),
            (342, 10.0, WELL),
            (343, 90.0, WELL),
            (400, 69.9, WELL),
            (463, 70.0, WELL),
            (583, 70.0, DEGRADED),
        ];
        check(&levels, Duration::ZERO, &steps);
    }

    #[test]
    fn a_level_survives_a_short_gap_in_the_measurements_but_no_long_one() {
        for (gap, expected) in [(0, DEGRADED), (300, DEGRADED), (301, WELL)] {
            let steps = [
                (1_000, 72.0, DEGRADED),
                (1_000 + gap, f64::NAN, Status::Unknown),
                (1_000 + gap, 68.0, expected),
                (1_001 + gap, 68.0, expected),
            ];
            check(&LEVELS, Duration::ZERO, &steps);
        }
    }
}
