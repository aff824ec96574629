//! Findings of the assessment: a status with a sentence each, and how they add up to one status.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{Limit, Status};

/// Figures that take a moment to be measured for the first time do not count as missing before this, so that a normal start
/// does not change health.
pub(super) const BEGUN: Duration = Duration::from_secs(30);

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

/// A limit that was reached, in words, the same and true whether the value is above the entry, not below the exit yet or below it not for
/// long enough, so that one that hovers does not change the sentence.
pub(super) fn limit_in_words(limit: Limit, clears_after: Duration, figure: impl Fn(f64) -> String) -> String {
    let (enter, exit) = (figure(limit.enter), figure(limit.exit));
    match clears_after {
        Duration::ZERO => format!("limit {enter}, clears below {exit}"),
        after => {
            format!("the limit of {enter} was reached, clears once below {exit} for {}", spoken(after))
        }
    }
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
}
