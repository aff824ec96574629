//! What is wrong with a rule, in words that name the rule and the key.

use std::fmt;

use crate::rule::{RuleSpec, Side};
use crate::rules::RuleSet;
use crate::series::SeriesKind;

/// A rule that no set takes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the rule {rule:?}, {key}: {fault}")]
pub struct InvalidRule {
    /// Its name, cut at its bound.
    pub rule: String,
    /// The key that is wrong.
    pub key: &'static str,
    /// What is wrong with it.
    pub fault: Fault,
}

impl InvalidRule {
    pub(super) fn new(rule: &RuleSpec, key: &'static str, fault: Fault) -> Self {
        Self { rule: rule.name.chars().take(RuleSpec::MAX_NAME).collect(), key, fault }
    }
}

/// What is wrong with a key of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// No name.
    Name,
    /// Another rule has this name.
    Twice,
    /// More rules than a set takes.
    TooMany,
    /// There is no such series.
    UnknownSeries {
        /// Its name.
        name: String,
    },
    /// It needs a series.
    NoSeries,
    /// An absence is about collectors.
    SeriesOfAbsence,
    /// The values of the series are not what the condition judges.
    Kind {
        /// What they are.
        kind: SeriesKind,
    },
    /// Not a number that can be reached.
    NotFinite,
    /// It would be entered and left at once.
    ExitBeyondEnter {
        /// On which side it is bad.
        side: Side,
        /// Where it is entered.
        enter: f64,
        /// Where it is left.
        exit: f64,
    },
    /// A rate that would never end.
    Endless,
    /// The worse level is not beyond the first.
    NotBeyond,
    /// The worse level is not more severe.
    NotMoreSevere,
    /// A period beyond its bound.
    TooLong,
    /// A window that is zero or beyond the bound.
    Window,
    /// An absence of no evaluation.
    NoEvaluations,
    /// There is no such rule.
    UnknownRule {
        /// Its name.
        name: String,
    },
    /// Rules that inhibit each other.
    Circle {
        /// Their names, the first at both ends.
        names: Vec<String>,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => {
                write!(f, "expected 1 to {} lower-case letters, digits and underscores", RuleSpec::MAX_NAME)
            }
            Self::Twice => f.write_str("another rule has this name"),
            Self::TooMany => write!(f, "the most rules are {}", RuleSet::MOST),
            Self::UnknownSeries { name } => write!(f, "there is no series {name:?}"),
            Self::NoSeries => f.write_str("it needs a series to be about"),
            Self::SeriesOfAbsence => f.write_str("an absence is about all that a collector measures"),
            Self::Kind { kind } => f.write_str(match kind {
                SeriesKind::Gauge => "the series is a gauge, which needs a threshold",
                SeriesKind::Counter => "the series is a counter, which needs a rate",
                SeriesKind::Event => "the series is an event, which has no limit",
            }),
            Self::NotFinite => f.write_str("expected a finite number"),
            Self::ExitBeyondEnter { side, enter, exit } => {
                let side = match side {
                    Side::Above => "above",
                    Side::Below => "below",
                };
                write!(f, "{exit} is {side} enter, {enter}: it would be left while it is entered")
            }
            Self::Endless => f.write_str("expected more than zero: a counter never grows by less"),
            Self::NotBeyond => f.write_str("it must be entered and left beyond the first level"),
            Self::NotMoreSevere => f.write_str("it must be more severe than the first level"),
            Self::TooLong => f.write_str("the longest period is 7 days"),
            Self::Window => f.write_str("expected longer than zero and at most 7 days"),
            Self::NoEvaluations => f.write_str("expected at least 1"),
            Self::UnknownRule { name } => write!(f, "there is no rule {name:?}"),
            Self::Circle { names } => {
                write!(f, "rules that inhibit each other are never sent: {}", names.join(" → "))
            }
        }
    }
}
