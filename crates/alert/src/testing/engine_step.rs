//! What can happen to an engine, as plain data.

use std::time::Duration;

use proptest::prelude::*;

use super::example::labels;
use crate::{Labels, Reading};

/// What was found for a fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The series.
    pub series: &'static str,
    /// Its labels.
    pub labels: Labels,
    /// What was found.
    pub reading: Reading,
}

/// What can happen to an engine with the example's rules.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A collector evaluates, and mentions these.
    Evaluate {
        /// Which.
        collector: &'static str,
        /// What it mentions.
        mentions: Vec<Measured>,
    },
    /// Something is measured outside of any evaluation.
    Happens(Measured),
    /// Time passes, and the engine is looked at.
    Pass(Duration),
    /// The process ends, and another one goes on from what was stored.
    Restart,
    /// The same rules are loaded again.
    Reload,
}

/// Anything that can happen.
pub fn any_step() -> BoxedStrategy<Step> {
    let fast = prop::collection::vec(any_measured("fast"), 0..5);
    let slow = prop::collection::vec(any_measured("slow"), 0..2);
    let once = |mut mentions: Vec<Measured>| {
        mentions.sort_by(|one, other| (one.series, &one.labels).cmp(&(other.series, &other.labels)));
        mentions.dedup_by(|one, other| (one.series, &one.labels) == (other.series, &other.labels));
        mentions
    };
    let pass = prop_oneof![4 => 1_u64..25, 1 => 25_u64..200];
    prop_oneof![
        6 => fast.prop_map(move |mentions| Step::Evaluate { collector: "fast", mentions: once(mentions) }),
        3 => slow.prop_map(move |mentions| Step::Evaluate { collector: "slow", mentions: once(mentions) }),
        2 => prop_oneof![any_measured("fast"), any_measured("slow")].prop_map(Step::Happens),
        8 => pass.prop_map(|seconds| Step::Pass(Duration::from_secs(seconds))),
        1 => Just(Step::Restart),
        1 => Just(Step::Reload),
    ]
    .boxed()
}

fn any_measured(collector: &'static str) -> BoxedStrategy<Measured> {
    let at = prop_oneof![Just("at=x"), Just("at=y")];
    let absent = prop_oneof![
        3 => Just(Reading::Missing("no answer".into())),
        1 => Just(Reading::Value(f64::NAN)),
        1 => Just(Reading::Idle("no calls".into())),
        1 => Just(Reading::Gone),
    ];
    let or_absent = |values: BoxedStrategy<f64>| {
        prop_oneof![4 => values.prop_map(Reading::Value), 1 => absent.clone()].boxed()
    };
    let gauge =
        or_absent(prop::sample::select(vec![0.0, 1.0, 5.0, 8.0, 9.0, 10.0, 17.9, 19.0, 25.0]).boxed());
    let event = or_absent(prop::sample::select(vec![0.0, 1.0]).boxed());
    let counter = or_absent((0_u32..12).prop_map(f64::from).boxed());
    let measured = |series, at: &str, reading| Measured { series, labels: labels(at), reading };
    if collector == "slow" {
        return counter.prop_map(move |reading| measured("refusals", "", reading)).boxed();
    }
    prop_oneof![
        3 => (at.clone(), gauge.clone()).prop_map(move |(at, reading)| measured("load", at, reading)),
        1 => (at.clone(), gauge).prop_map(move |(at, reading)| measured("late", at, reading)),
        1 => (at, event).prop_map(move |(at, reading)| measured("open", at, reading)),
    ]
    .boxed()
}
