//! Alerts: a pure machine that knows series, rules and channels by their names, and never what a series measures or how a
//! channel sends.
#![doc = include_str!("../README.md")]

mod alert;
mod engine;
mod labels;
mod reading;
mod rule;
mod rules;
mod series;
#[cfg(feature = "testing")]
pub mod testing;
mod track;

pub use alert::{AlertKey, Ending, Episode, EpisodeId, SavedAlert, Transition, Turn};
pub use engine::{Engine, InvalidMeasurement, Stale};
pub use labels::{Identity, InvalidLabels, Labels};
pub use reading::{Measurement, Reading};
pub use rule::{Condition, Limit, RuleSpec, Side, Worse};
pub use rules::{Fault, InvalidRule, RuleId, RuleSet};
pub use series::{Catalogue, Collector, Series, SeriesKind, Unit};
pub use track::{Change, Phase, Seen, Timing, Track};
