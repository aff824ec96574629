//! What is measured, as data: a value, or the reason why there is none.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::Labels;

/// What an evaluation found for one series and labels.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A measured value; for a counter its total, for an event 1 while it lasts and 0 after.
    Value(f64),
    /// It should have been measured and was not, for this reason: nothing begins or ends by it, and after three evaluations the
    /// collector counts as stale.
    Missing(Cow<'static, str>),
    /// There is nothing to measure, such as an error rate without calls: nothing begins or ends by it, and nothing is wrong.
    Idle(Cow<'static, str>),
    /// What was measured does not exist any more: alerts about it end.
    Gone,
}

impl Reading {
    /// The value, if there is one. What is not finite is no measure.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Value(value) if value.is_finite() => Some(*value),
            _ => None,
        }
    }

    /// Why there is no value.
    pub fn absent(&self) -> Option<&str> {
        match self {
            Self::Value(value) if value.is_finite() => None,
            Self::Value(_) => Some("not a finite number"),
            Self::Missing(why) | Self::Idle(why) => Some(why),
            Self::Gone => Some("it does not exist any more"),
        }
    }

    /// Whether it should have been measured and was not.
    pub(crate) fn is_missing(&self) -> bool {
        match self {
            Self::Value(value) => !value.is_finite(),
            Self::Missing(_) => true,
            Self::Idle(_) | Self::Gone => false,
        }
    }
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// The series, by its name in the catalogue.
    pub series: &'static str,
    /// Its labels: exactly those that the catalogue lists for the series.
    pub labels: Labels,
    /// What was found.
    pub reading: Reading,
    /// When, by the wall clock.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_no_measure() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let reading = Reading::Value(value);
            assert_eq!((reading.value(), reading.absent()), (None, Some("not a finite number")));
            assert!(reading.is_missing());
        }
        assert_eq!(Reading::Value(0.0).absent(), None);
        assert!(!Reading::Idle("no calls".into()).is_missing());
    }
}
