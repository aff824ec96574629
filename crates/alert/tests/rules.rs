//! Which rules a set takes, and how it says what is wrong with the others.

use std::time::Duration;

use ttm_alert::{
    Catalogue, Collector, Condition, InvalidRule, Limit, RuleSet, RuleSpec, Series, SeriesKind, Side, Unit,
    Worse,
};
use ttm_kernel::Severity;

const SERIES: Series = Series {
    name: "resource.cpu_percent",
    kind: SeriesKind::Gauge,
    unit: Unit::Percent,
    labels: &[],
    collector: "resources",
};

fn catalogue() -> Catalogue {
    let of = |name, kind| Series { name, kind, unit: Unit::Count, ..SERIES };
    Catalogue {
        series: vec![
            SERIES,
            of("api.rate_limited", SeriesKind::Counter),
            of("breaker.open", SeriesKind::Event),
        ],
        collectors: vec![Collector { name: "resources", interval: Duration::from_mins(1) }],
    }
}

fn rule(name: &str) -> RuleSpec {
    RuleSpec {
        name: name.to_owned(),
        series: Some(SERIES.name.to_owned()),
        condition: Condition::above(80.0, 75.0),
        hold: Duration::from_mins(2),
        keep_firing_for: Duration::from_mins(5),
        severity: Severity::Warning,
        inhibited_by: Vec::new(),
    }
}

fn refused(rules: Vec<RuleSpec>) -> Vec<InvalidRule> {
    RuleSet::try_new(rules, catalogue()).expect_err("it is refused")
}

#[track_caller]
fn check(rule: RuleSpec, expected: &str) {
    let refused = refused(vec![rule]);
    let lines: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert_eq!(lines, [expected]);
}

#[test]
fn a_rule_that_names_an_unknown_series_is_refused() {
    let wrong = RuleSpec { series: Some("resource.cpu".to_owned()), ..rule("cpu") };
    check(wrong, "the rule \"cpu\", series: there is no series \"resource.cpu\"");
    check(
        RuleSpec { series: None, ..rule("cpu") },
        "the rule \"cpu\", series: it needs a series to be about",
    );
    let absence = RuleSpec { condition: Condition::Absence { evaluations: 3 }, ..rule("stale") };
    check(absence, "the rule \"stale\", series: an absence is about all that a collector measures");
}

#[test]
fn an_exit_above_enter_is_refused() {
    let wrong = RuleSpec { condition: Condition::above(80.0, 85.0), ..rule("cpu") };
    check(wrong, "the rule \"cpu\", exit: 85 is above enter, 80: it would be left while it is entered");
    let limit = Limit { enter: 10.0, exit: 5.0 };
    let below = Condition::Threshold { side: Side::Below, limit, worse: None };
    check(
        RuleSpec { condition: below, ..rule("rate") },
        "the rule \"rate\", exit: 5 is below enter, 10: it would be left while it is entered",
    );
    let wrong = RuleSpec { condition: Condition::above(f64::NAN, 85.0), ..rule("cpu") };
    check(wrong, "the rule \"cpu\", enter: expected a finite number");
    let limit = Limit { enter: 1.0, exit: 0.0 };
    let endless = Condition::Rate { window: Duration::from_mins(5), limit };
    check(
        RuleSpec { series: Some("api.rate_limited".to_owned()), condition: endless, ..rule("limited") },
        "the rule \"limited\", exit: expected more than zero: a counter never grows by less",
    );
}

#[test]
fn an_inhibition_cycle_is_refused_and_shown() {
    let by = |name: &str, by: &[&str]| RuleSpec {
        inhibited_by: by.iter().map(|name| (*name).to_owned()).collect(),
        ..rule(name)
    };
    let circle = refused(vec![by("a", &["b"]), by("b", &["d", "c"]), by("c", &["a"]), by("d", &[])]);
    let lines: Vec<String> = circle.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["the rule \"a\", inhibited_by: rules that inhibit each other are never sent: a → b → c → a"]
    );
    let own = refused(vec![by("a", &["a"])]);
    assert!(own[0].to_string().ends_with("a → a"), "{}", own[0]);
    check(by("a", &["z"]), "the rule \"a\", inhibited_by: there is no rule \"z\"");
    // Two ways to the same cause are no circle.
    let diamond = vec![by("a", &["b", "c"]), by("b", &["d"]), by("c", &["d"]), by("d", &[])];
    assert!(RuleSet::try_new(diamond, catalogue()).is_ok());
}

#[test]
fn a_condition_that_does_not_fit_its_series_is_refused() {
    let of = |series: &str, condition| RuleSpec { series: Some(series.to_owned()), condition, ..rule("x") };
    let limit = Limit { enter: 1.0, exit: 1.0 };
    let rate = |window| Condition::Rate { window, limit };
    check(
        of("resource.cpu_percent", rate(Duration::from_mins(5))),
        "the rule \"x\", series: the series is a gauge, which needs a threshold",
    );
    check(
        of("api.rate_limited", Condition::above(1.0, 1.0)),
        "the rule \"x\", series: the series is a counter, which needs a rate",
    );
    check(
        of("breaker.open", Condition::above(1.0, 1.0)),
        "the rule \"x\", series: the series is an event, which has no limit",
    );
    check(
        of("api.rate_limited", rate(Duration::ZERO)),
        "the rule \"x\", window: expected longer than zero and at most 7 days",
    );
    let none = RuleSpec { series: None, condition: Condition::Absence { evaluations: 0 }, ..rule("x") };
    check(none, "the rule \"x\", evaluations: expected at least 1");
}

#[test]
fn a_worse_level_is_beyond_and_more_severe() {
    let with = |enter, exit, severity| {
        let worse = Some(Worse { limit: Limit { enter, exit }, severity });
        let limit = Limit { enter: 75.0, exit: 70.0 };
        RuleSpec { condition: Condition::Threshold { side: Side::Above, limit, worse }, ..rule("memory") }
    };
    let set = RuleSet::try_new(vec![with(90.0, 85.0, Severity::Critical)], catalogue());
    assert!(set.is_ok(), "{set:?}");
    let beyond = "the rule \"memory\", worse: it must be entered and left beyond the first level";
    check(with(74.0, 72.0, Severity::Critical), beyond);
    check(with(90.0, 69.0, Severity::Critical), beyond);
    check(
        with(90.0, 85.0, Severity::Warning),
        "the rule \"memory\", worse: it must be more severe than the first level",
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_never_at_length() {
    let long = RuleSpec {
        name: "x".repeat(10_240),
        hold: Duration::MAX,
        keep_firing_for: Duration::MAX,
        ..rule("")
    };
    let refused = refused(vec![long, rule("cpu"), rule("cpu"), rule("CPU")]);
    let keys: Vec<&str> = refused.iter().map(|invalid| invalid.key).collect();
    assert_eq!(keys, ["name", "for", "keep_firing_for", "name", "name"]);
    assert!(refused.iter().all(|invalid| invalid.to_string().len() < 200));
    let many = (0..=RuleSet::MOST).map(|number| rule(&format!("r{number}"))).collect();
    let error = RuleSet::try_new(many, catalogue()).expect_err("one too many");
    assert_eq!(error[0].to_string(), "the rule \"r1000\", name: the most rules are 1000");
}
