//! A small set of rules with a rule of each kind, for tests.

use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::Severity;

use crate::{
    Catalogue, Collector, Condition, Labels, Limit, RuleSet, RuleSpec, Series, SeriesKind, Side, Unit, Worse,
};

const SECOND: Duration = Duration::from_secs(1);

/// Labels that are written like this.
pub fn labels(text: &str) -> Labels {
    Labels::parse(text).expect("a test's labels are valid")
}

/// A time of the wall clock, so many seconds after the examples begin.
pub fn wall(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a test's times are in range")
}

/// Two gauges, a counter and an event, measured by `fast` each 10 s and `slow` each 20 s, with these rules: `load{at}` (WARNING from
/// 10, CRITICAL from 20, for 20 s, for 30 s after), `idle{at}` (INFO at 1 or less), `refusals` (ERROR, five a minute, for 20 s
/// after), `open{at}` (WARNING, 10 s after), `late{at}` (ERROR, a consequence of `open`), and `stale{collector}` (ERROR).
pub fn rule_set() -> RuleSet {
    let series = |name, kind, labels, collector| Series { name, kind, unit: Unit::Count, labels, collector };
    let collector = |name, seconds| Collector { name, interval: seconds * SECOND };
    let catalogue = Catalogue {
        series: vec![
            series("load", SeriesKind::Gauge, &["at"], "fast"),
            series("late", SeriesKind::Gauge, &["at"], "fast"),
            series("refusals", SeriesKind::Counter, &[], "slow"),
            series("open", SeriesKind::Event, &["at"], "fast"),
        ],
        collectors: vec![collector("fast", 10), collector("slow", 20)],
    };
    let worse = Some(Worse { limit: Limit { enter: 20.0, exit: 18.0 }, severity: Severity::Critical });
    let limit = Limit { enter: 10.0, exit: 8.0 };
    let load = Condition::Threshold { side: Side::Above, limit, worse };
    let idle =
        Condition::Threshold { side: Side::Below, limit: Limit { enter: 1.0, exit: 2.0 }, worse: None };
    let refusals = Condition::Rate { window: 60 * SECOND, limit: Limit { enter: 5.0, exit: 2.0 } };
    let rule = |name: &str, series: &str, condition, [hold, keep]: [u32; 2], severity| RuleSpec {
        name: name.to_owned(),
        series: Some(series.to_owned()).filter(|series| !series.is_empty()),
        condition,
        hold: hold * SECOND,
        keep_firing_for: keep * SECOND,
        severity,
        inhibited_by: Vec::new(),
    };
    let late = rule("late", "late", Condition::above(5.0, 5.0), [0, 0], Severity::Error);
    let rules = vec![
        rule("load", "load", load, [20, 30], Severity::Warning),
        rule("idle", "load", idle, [0, 0], Severity::Info),
        rule("refusals", "refusals", refusals, [0, 20], Severity::Error),
        rule("open", "open", Condition::Event, [0, 10], Severity::Warning),
        RuleSpec { inhibited_by: vec!["open".to_owned()], ..late },
        rule("stale", "", Condition::Absence { evaluations: 3 }, [0, 0], Severity::Error),
    ];
    RuleSet::try_new(rules, catalogue).expect("the example is valid")
}
