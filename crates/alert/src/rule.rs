//! What a rule says, as a config gives it, and how it judges a value.

use std::time::Duration;

use ttm_kernel::Severity;

use crate::track::{Seen, Timing};

/// On which side of its limit a value is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At the limit or above.
    Above,
    /// At the limit or below.
    Below,
}

/// A limit that is entered at one value and left beyond another, so that a value that hovers there changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// The first bad value.
    pub enter: f64,
    /// The last value that is not good yet.
    pub exit: f64,
}

impl Limit {
    pub(crate) fn judge(self, side: Side, value: f64) -> Seen {
        let (value, enter, exit) = match side {
            Side::Above => (value, self.enter, self.exit),
            Side::Below => (-value, -self.enter, -self.exit),
        };
        if value >= enter {
            Seen::Bad
        } else if value < exit {
            Seen::Good
        } else {
            Seen::Between
        }
    }
}

/// A limit beyond the first one, at which the same alert is more severe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worse {
    /// Where.
    pub limit: Limit,
    /// How severe it is there.
    pub severity: Severity,
}

/// What makes a rule fire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// A value beyond a limit.
    Threshold {
        /// On which side.
        side: Side,
        /// Which limit.
        limit: Limit,
        /// The level beyond.
        worse: Option<Worse>,
    },
    /// A counter that grows by so much within a sliding window of observed time.
    Rate {
        /// The window.
        window: Duration,
        /// The limit of the growth within it.
        limit: Limit,
    },
    /// No data from a collector for so many of its evaluations in a row. The rule has no series, and one alert a collector.
    Absence {
        /// How many.
        evaluations: u32,
    },
    /// Something that has begun and has not ended.
    Event,
}

impl Condition {
    /// A value at the limit or above.
    pub const fn above(enter: f64, exit: f64) -> Self {
        Self::Threshold { side: Side::Above, limit: Limit { enter, exit }, worse: None }
    }

    /// The same with a level beyond.
    pub const fn above_twice(warning: [f64; 2], worse: [f64; 2], severity: Severity) -> Self {
        let limit = Limit { enter: worse[0], exit: worse[1] };
        Self::Threshold {
            side: Side::Above,
            limit: Limit { enter: warning[0], exit: warning[1] },
            worse: Some(Worse { limit, severity }),
        }
    }

    /// The side and the limit of the level that makes it fire.
    pub fn limit(&self) -> (Side, Limit) {
        match *self {
            Self::Threshold { side, limit, .. } => (side, limit),
            Self::Rate { limit, .. } => (Side::Above, limit),
            Self::Absence { evaluations } => {
                let enter = f64::from(evaluations);
                (Side::Above, Limit { enter, exit: enter.min(1.0) })
            }
            Self::Event => (Side::Above, Limit { enter: 1.0, exit: 1.0 }),
        }
    }

    /// The level beyond.
    pub fn worse(&self) -> Option<Worse> {
        match self {
            Self::Threshold { worse, .. } => *worse,
            Self::Rate { .. } | Self::Absence { .. } | Self::Event => None,
        }
    }
}

/// A rule, as a config or the table of defaults gives it; [`RuleSet::try_new`](crate::RuleSet::try_new) checks it.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSpec {
    /// Its name: 1 to [`RuleSpec::MAX_NAME`] lower-case letters, digits and underscores.
    pub name: String,
    /// The series that it is about; `None` for an absence alone.
    pub series: Option<String>,
    /// What makes it fire.
    pub condition: Condition,
    /// How long that has to be observed before it fires: `for` in a config.
    pub hold: Duration,
    /// How long the opposite has to be observed before it is resolved.
    pub keep_firing_for: Duration,
    /// How severe it is.
    pub severity: Severity,
    /// The rules that it is a consequence of. While one of them fires for labels that [agree](crate::Labels::agree) with its
    /// own, it is listed in that one's message and sent in none of its own.
    pub inhibited_by: Vec<String>,
}

impl RuleSpec {
    /// The longest name, in bytes.
    pub const MAX_NAME: usize = 64;
    /// The longest time that a rule may wait for anything.
    pub const MAX_PERIOD: Duration = Duration::from_hours(7 * 24);

    pub(crate) fn timing(&self) -> Timing {
        Timing { hold: self.hold, keep: self.keep_firing_for }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_hovers_is_between_on_either_side() {
        let limit = Limit { enter: 80.0, exit: 75.0 };
        let judged = [80.0, 79.9, 75.0, 74.9].map(|value| limit.judge(Side::Above, value));
        assert_eq!(judged, [Seen::Bad, Seen::Between, Seen::Between, Seen::Good]);
        let limit = Limit { enter: 10.0, exit: 15.0 };
        let judged = [10.0, 10.1, 15.0, 15.1].map(|value| limit.judge(Side::Below, value));
        assert_eq!(judged, [Seen::Bad, Seen::Between, Seen::Between, Seen::Good]);
    }

    #[test]
    fn an_absence_is_over_with_the_first_value() {
        let (side, limit) = Condition::Absence { evaluations: 3 }.limit();
        let judged = [0.0, 1.0, 2.0, 3.0].map(|missed| limit.judge(side, missed));
        assert_eq!(judged, [Seen::Good, Seen::Between, Seen::Between, Seen::Bad]);
    }
}
