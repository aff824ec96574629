//! Findings of the assessment: a status with a sentence each, and how they add up to one status.

use std::fmt::Display;
use std::time::Duration;

use jiff::SignedDuration;

use crate::{LastLevel, Level, Levels, Status};

/// Figures that take a moment to be measured for the first time do not count as missing before this, so that a normal start
/// does not change health.
pub(super) const BEGUN: Duration = Duration::from_secs(30);

/// A figure that was not measured for longer than the API's own window has no level any more.
const FORGOTTEN: Duration = Duration::from_mins(5);

/// A status, and a sentence that explains it to an operator.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) status: Status,
    pub(super) sentence: String,
}

/// Everything that is wrong with a part, or unknown. A part without findings is healthy.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding.
    pub(super) fn add(&mut self, status: Status, sentence: String) {
        self.0.push(Finding { status, sentence });
    }

    /// Adds the findings of another part.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The worst status among them.
    pub(super) fn worst(&self) -> Status {
        self.0.iter().map(|finding| finding.status).max().unwrap_or(Status::Healthy)
    }

    /// The same, none of it worse than degraded.
    pub(super) fn into_warnings(mut self) -> Self {
        for finding in &mut self.0 {
            finding.status = finding.status.min(Status::Degraded);
        }
        self
    }

    /// The same for an optional part: unknown makes the whole degraded.
    pub(super) fn into_optional(mut self) -> Self {
        for finding in &mut self.0 {
            finding.status = optional(finding.status);
        }
        self
    }

    /// The sentences, the worst first; among equals, in the order in which they were found.
    pub(super) fn sentences(mut self) -> Vec<String> {
        self.0.sort_by_key(|finding| std::cmp::Reverse(finding.status));
        self.0.into_iter().map(|finding| finding.sentence).collect()
    }
}

/// What an optional part contributes to the whole.
pub(super) fn optional(status: Status) -> Status {
    if status == Status::Unknown { Status::Degraded } else { status }
}

/// A level that was reached: it is entered at one value, and left once the figure was below another for `hold`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit<T> {
    pub(super) enter: T,
    pub(super) exit: T,
    pub(super) hold: Duration,
}

impl<T> Limit<T> {
    /// In words, the same and true whether the value is above the entry, not below the exit yet or below it not for long
    /// enough, so that one that hovers does not change the sentence.
    pub(super) fn spelled<D: Display>(self, figure: impl Fn(T) -> D) -> String {
        let (enter, exit) = (figure(self.enter), figure(self.exit));
        match self.hold {
            Duration::ZERO => format!("limit {enter}, clears below {exit}"),
            hold => {
                format!("the limit of {enter} was reached, clears once below {exit} for {}", spoken(hold))
            }
        }
    }
}

/// The status of a value, and the level that it has reached. A level is entered at its limit and left once the value has been
/// below `exit` of that for `hold`, so that a value that hovers there changes nothing; `last` is the level until now,
/// and is updated. NaN is unknown and resolves nothing; but after [`FORGOTTEN`] without a value the next one is judged as the
/// first.
pub(super) fn level<T: PartialOrd + Copy>(
    value: T,
    levels: Levels<T>,
    exit: impl Fn(T) -> T,
    hold: Duration,
    last: &mut LastLevel,
    uptime: Duration,
) -> (Status, Limit<T>) {
    let goes_on = uptime.saturating_sub(last.at) <= FORGOTTEN;
    let before = if goes_on { last.level } else { Level::None };
    let limit = |enter| Limit { enter, exit: exit(enter), hold };
    let limits = Levels { warning: limit(levels.warning), critical: limit(levels.critical) };
    let Some(level) = reached(value, &limits, before) else { return (Status::Unknown, limits.warning) };
    let is_held = level < before && uptime.saturating_sub(last.reached) < hold;
    *last = if is_held {
        LastLevel { at: uptime, ..*last }
    } else {
        LastLevel { level, at: uptime, reached: uptime }
    };
    match last.level {
        Level::Critical => (Status::Critical, limits.critical),
        Level::Warning => (Status::Degraded, limits.warning),
        Level::None => (Status::Healthy, limits.warning),
    }
}

/// The level of a value if `before` was reached until now; `None` for NaN.
fn reached<T: PartialOrd + Copy>(value: T, limits: &Levels<Limit<T>>, before: Level) -> Option<Level> {
    let is_at = |level, limit: &Limit<T>| value >= if before >= level { limit.exit } else { limit.enter };
    if is_at(Level::Critical, &limits.critical) {
        Some(Level::Critical)
    } else if is_at(Level::Warning, &limits.warning) {
        Some(Level::Warning)
    } else {
        value.partial_cmp(&limits.warning.enter).map(|_| Level::None)
    }
}

/// A share between 0 and `whole` leaves a level five hundredths of the whole below, and a small level at its half.
pub(super) fn five_points_of(whole: f64) -> impl Fn(f64) -> f64 {
    move |level| (level - 0.05 * whole).max(level / 2.0)
}

/// `part` as a share of `whole`; `None` if `whole` is unknown or zero.
pub(super) fn share(part: f64, whole: f64) -> Option<f64> {
    measured((whole > 0.0).then_some(part / whole))
}

/// A valid measurement: finite and not negative.
pub(super) fn measured(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && *value >= 0.0)
}

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

    #[test]
    fn sentences_come_worst_first_and_otherwise_in_order() {
        let mut findings = Findings::default();
        for (status, sentence) in [
            (Status::Degraded, "a"),
            (Status::Critical, "b"),
            (Status::Degraded, "c"),
            (Status::Unknown, "d"),
        ] {
            findings.add(status, sentence.to_owned());
        }
        assert_eq!(findings.worst(), Status::Critical);
        assert_eq!(findings.sentences(), ["b", "d", "a", "c"]);
    }

    #[test]
    fn a_level_is_reached_at_its_own_value_and_nan_reaches_none() {
        let levels = Levels { warning: 70.0, critical: 80.0 };
        let status = |value| {
            let (mut last, uptime) = (LastLevel::default(), Duration::from_hours(1));
            level(value, levels, five_points_of(100.0), Duration::ZERO, &mut last, uptime).0
        };
        assert_eq!(status(69.9), Status::Healthy);
        assert_eq!(status(70.0), Status::Degraded);
        assert_eq!(status(80.0), Status::Critical);
        assert_eq!(status(f64::NAN), Status::Unknown);
    }

    #[test]
    fn each_level_is_left_five_points_below_its_limit() {
        let levels = Levels { warning: 70.0, critical: 80.0 };
        let (mut last, uptime) = (LastLevel::default(), Duration::from_hours(1));
        let mut status = |value| {
            let (status, Limit { enter, exit, .. }) =
                level(value, levels, five_points_of(100.0), Duration::ZERO, &mut last, uptime);
            (status, [enter, exit])
        };
        assert_eq!(status(80.0), (Status::Critical, [80.0, 75.0]));
        assert_eq!(status(75.0), (Status::Critical, [80.0, 75.0]));
        assert_eq!(status(74.9), (Status::Degraded, [70.0, 65.0]));
        assert_eq!(status(79.9).0, Status::Degraded, "it has been left");
        assert_eq!(status(f64::NAN).0, Status::Unknown);
        assert_eq!(status(65.0).0, Status::Degraded, "what is not known resolves nothing");
        assert_eq!(status(64.9).0, Status::Healthy);
        assert_eq!(status(69.9).0, Status::Healthy);
        let small = Levels { warning: 4.0, critical: 8.0 };
        let mut last = LastLevel { level: Level::Warning, at: uptime, reached: uptime };
        let mut status =
            |value| level(value, small, five_points_of(100.0), Duration::ZERO, &mut last, uptime).0;
        assert_eq!([2.0, 1.9].map(&mut status), [Status::Degraded, Status::Healthy]);
    }

    #[test]
    fn a_level_with_a_hold_is_left_once_the_value_has_been_below_it_for_that_long() {
        let levels = Levels { warning: 70.0, critical: 80.0 };
        let (hold, mut last) = (Duration::from_mins(5), LastLevel::default());
        let mut status = |(second, value)| {
            level(value, levels, five_points_of(100.0), hold, &mut last, Duration::from_secs(second)).0
        };
        let (well, degraded, critical) = (Status::Healthy, Status::Degraded, Status::Critical);
        let seen = [(1_000, 72.0), (1_200, 10.0), (1_299, 66.0), (1_301, 10.0), (1_598, 10.0), (1_599, 10.0)];
        assert_eq!(seen.map(&mut status), [degraded, degraded, degraded, degraded, degraded, well]);
        // A worse level is entered at once.
        let seen = [(1_700, 80.0), (1_999, 72.0), (2_000, 72.0), (2_299, 10.0), (2_300, 10.0)];
        assert_eq!(seen.map(&mut status), [critical, critical, degraded, degraded, well]);
    }

    #[test]
    fn a_level_survives_a_short_gap_in_the_measurements_but_no_long_one() {
        let levels = Levels { warning: 70.0, critical: 80.0 };
        for (gap, expected) in [(0, Status::Degraded), (300, Status::Degraded), (301, Status::Healthy)] {
            let mut last = LastLevel::default();
            let mut judge = |value, second| {
                let uptime = Duration::from_secs(second);
                level(value, levels, five_points_of(100.0), Duration::ZERO, &mut last, uptime).0
            };
            assert_eq!(judge(72.0, 1_000), Status::Degraded);
            assert_eq!(judge(f64::NAN, 1_000 + gap), Status::Unknown, "that is no measure");
            assert_eq!(judge(68.0, 1_000 + gap), expected, "after {gap} s without one");
            assert_eq!(judge(68.0, 1_001 + gap), expected);
        }
    }
}
