//! The default rules are valid, say what the documents say, and are silent while all is well.

use std::fmt::Write;
use std::time::Duration;

use jiff::SignedDuration;
use ttm_alert::defaults::{self, DefaultRule, RULES, SERIES, check_labels};
use ttm_alert::{Condition, Engine, Labels, Limit, Measurement, Reading, RuleSet, SeriesKind, Side, Turn};
use ttm_kernel::{Epoch, Moment, Severity};

const DOCUMENT: &str = include_str!("../RULES.md");

fn rule_set() -> RuleSet {
    let catalogue = defaults::catalogue(Duration::from_secs(30), Duration::from_mins(1));
    RuleSet::try_new(defaults::rules(), catalogue).expect("the defaults are valid")
}

fn spoken(seconds: u64) -> String {
    format!("{:#}", SignedDuration::from_secs(seconds.try_into().expect("small")))
}

fn row(rule: &DefaultRule) -> String {
    let labels = rule.series.map_or("collector".to_owned(), |name| {
        SERIES.iter().find(|series| series.name == name).expect("it is listed").labels.join(", ")
    });
    let of = |limit: Limit| (limit.enter.to_string(), limit.exit.to_string());
    let ((enter, exit), worse) = match rule.condition {
        Condition::Threshold { side, limit, worse } => {
            assert_eq!(side, Side::Above, "the table has no column for the other one");
            (of(limit), worse.map(|worse| (of(worse.limit), worse.severity)))
        }
        Condition::Rate { window, limit } => {
            let (enter, exit) = of(limit);
            ((format!("{enter} in {}", spoken(window.as_secs())), exit), None)
        }
        Condition::Absence { evaluations } => {
            ((format!("{evaluations} evaluations"), "a value".to_owned()), None)
        }
        Condition::Event => (("begins".to_owned(), "ends".to_owned()), None),
    };
    let series = rule.series.unwrap_or("–");
    let join = |first: String, other: Option<String>| {
        other.map_or(first.clone(), |other| format!("{first}, {other}"))
    };
    let enter = join(enter, worse.as_ref().map(|((enter, _), _)| enter.clone()));
    let exit = join(exit, worse.as_ref().map(|((_, exit), _)| exit.clone()));
    let severity = join(rule.severity.to_string(), worse.map(|(_, severity)| severity.to_string()));
    let (hold, keep) = (spoken(rule.hold), spoken(rule.keep));
    let (by, name, meaning) = (rule.inhibited_by.join(", "), rule.name, rule.meaning);
    let row = format!(
        "| {name} | {series} | {enter} | {exit} | {hold} | {keep} | {severity} | {labels} | {by} | {meaning} |"
    );
    row.replace("|  |", "| – |").replace("|  |", "| – |")
}

#[test]
fn the_document_has_the_table_of_the_code() {
    let rows = RULES.iter().map(row);
    let table = rows.fold(String::new(), |mut table, row| {
        writeln!(table, "{row}").expect("a text takes all");
        table
    });
    assert!(DOCUMENT.ends_with(&table), "RULES.md must end with\n{table}");
}

#[test]
fn every_series_has_a_rule_and_a_collector_and_sorted_labels() {
    let rules = rule_set();
    for series in SERIES {
        let is_known =
            rules.catalogue().collectors.iter().any(|collector| collector.name == series.collector);
        assert!(is_known && series.labels.is_sorted(), "{series:?}");
        assert!(RULES.iter().any(|rule| rule.series == Some(series.name)), "{series:?}");
    }
}

#[test]
fn nothing_less_severe_keeps_a_critical_alert_from_being_told() {
    for rule in RULES {
        let worst = rule.condition.worse().map_or(rule.severity, |worse| worse.severity);
        for by in rule.inhibited_by {
            let by = RULES.iter().find(|other| other.name == *by).expect("it is listed");
            assert!(
                worst < Severity::Critical || by.severity == Severity::Critical,
                "{} by {}",
                rule.name,
                by.name
            );
        }
    }
}

/// What is less severe waits for the store, which may be the one that it is about.
#[test]
fn what_is_wrong_with_a_store_itself_is_critical() {
    for series in ["store.down", "store.corrupt"] {
        let rule = RULES.iter().find(|rule| rule.series == Some(series)).expect("it is listed");
        assert_eq!(rule.severity, Severity::Critical, "{series}");
    }
}

/// What it caused is measured over five minutes, and would else be told when it is over.
#[test]
fn what_an_api_causes_is_over_before_its_cause_is() {
    let of_api = RULES.iter().filter(|rule| rule.series.is_some_and(|series| series.starts_with("api.")));
    let by: Vec<&str> = of_api.flat_map(|rule| rule.inhibited_by).copied().collect();
    assert!(!by.is_empty());
    for cause in RULES.iter().filter(|rule| by.contains(&rule.name)) {
        assert!(cause.keep > 300 + 30, "{}: the window, and an evaluation", cause.name);
    }
}

/// Each rule fires by itself when its series is bad for long enough, and by nothing else.
#[test]
fn each_rule_fires_by_its_own_series_and_none_while_all_is_well() {
    for (place, bad) in SERIES.iter().enumerate() {
        let mut engine = Engine::new(rule_set(), Epoch::new(1), Moment::ZERO);
        let mut fired = Vec::new();
        for half_minute in 0..20_u32 {
            let now = Moment::from_origin(Duration::from_secs(30) * half_minute);
            let wall = jiff::Timestamp::UNIX_EPOCH;
            for collector in ["health", "resources"] {
                engine.begin(collector, now);
                for (other, series) in SERIES.iter().enumerate().filter(|(_, it)| it.collector == collector) {
                    let labels = Labels::try_new(series.labels.iter().map(|key| (*key, "x"))).expect("valid");
                    let is_bad = other == place && half_minute > 0;
                    let value = match series.kind {
                        SeriesKind::Gauge if is_bad => 1_000.0,
                        SeriesKind::Counter if is_bad => f64::from(half_minute) * 10.0,
                        SeriesKind::Event if is_bad => 1.0,
                        _ => 0.0,
                    };
                    let reading = Reading::Value(value);
                    engine
                        .handle(&Measurement { series: series.name, labels, reading, at: wall })
                        .expect("it fits");
                }
                engine.end(collector);
            }
            engine.handle_timeout(now, wall);
            while engine.poll(100, wall) {}
            let turns = std::iter::from_fn(|| engine.poll_transition());
            fired.extend(turns.filter(|it| it.turn == Turn::Fired).map(|it| it.key.rule.to_string()));
        }
        let expected: Vec<&str> =
            RULES.iter().filter(|rule| rule.series == Some(bad.name)).map(|rule| rule.name).collect();
        assert_eq!(fired, expected, "{}", bad.name);
    }
}

#[test]
fn the_labels_of_each_rule_are_possible_and_no_others() {
    let labels = |text: &str| Labels::parse(text).expect("valid");
    for rule in RULES {
        let of = Some((rule.name, rule.series));
        let keys = SERIES.iter().find(|series| Some(series.name) == rule.series);
        let keys = keys.map_or(&["collector"][..], |series| series.labels);
        for key in ["api", "by", "channel", "collector", "group", "lane", "part", "source", "store"] {
            let value = match key {
                "group" | "lane" => "cold",
                "by" | "store" => "metrics store",
                "collector" => "resources",
                _ => "anything",
            };
            let one = labels(&format!("{key}={value}"));
            assert_eq!(check_labels(of, &one).is_ok(), keys.contains(&key), "{} {key}", rule.name);
            assert_eq!(check_labels(None, &one), Ok(()), "{key}");
            let other = labels(&format!("{key}=other"));
            assert_eq!(check_labels(None, &other).is_ok(), value == "anything", "{key}");
        }
    }
    let told = |text: &str| check_labels(None, &labels(text)).expect_err("impossible");
    assert_eq!(told("group=hot,lane=hot").key, "lane");
    assert_eq!(
        told("api=x,group=hot,lane=hot").to_string(),
        "no alert has the label \"lane\" beside api and group"
    );
    assert_eq!(
        check_labels(Some(("own", Some("no.such_series"))), &labels("x=y")),
        Ok(()),
        "that is told elsewhere"
    );
}
