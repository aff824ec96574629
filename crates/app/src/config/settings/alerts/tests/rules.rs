//! Rules.

use ttm_alert::{Condition, Limit, RuleSpec, Side, Worse};

use super::*;

#[track_caller]
fn rule(text: &str, name: &str) -> RuleSpec {
    let rules = read(text, &[]).expect("valid").rules;
    rules.rule(rules.find(name).expect("it is on")).clone()
}

fn default(name: &str) -> RuleSpec {
    defaults::rules().into_iter().find(|rule| rule.name == name).expect("there is one")
}

#[test]
fn a_section_with_the_name_of_a_default_rule_overrides_what_it_says() {
    let text = "[alerts.rules.cpu]\nenter = 60\nexit = 55.5\nfor = \"1m\"\nseverity = \"Error\"\n";
    let limit = |enter, exit| Limit { enter, exit };
    let worse = Worse { limit: limit(95.0, 90.0), severity: Severity::Critical };
    let condition = Condition::Threshold { side: Side::Above, limit: limit(60.0, 55.5), worse: Some(worse) };
    let expected =
        RuleSpec { condition, hold: Duration::from_mins(1), severity: Severity::Error, ..default("cpu") };
    assert_eq!(rule(text, "cpu"), expected);

    let rate = rule(
        "[alerts.rules.rate_limited]\nwindow = \"1m\"\ninhibited_by = [\"breaker_open\"]\n",
        "rate_limited",
    );
    let condition = Condition::Rate { window: Duration::from_mins(1), limit: limit(5.0, 1.0) };
    let inhibited_by = vec!["breaker_open".to_owned()];
    assert_eq!(rate, RuleSpec { condition, inhibited_by, ..default("rate_limited") });

    let stale = rule("[alerts.rules.collector_stale]\nevaluations = 5\n", "collector_stale");
    assert_eq!(stale.condition, Condition::Absence { evaluations: 5 });
    let alone = rule("[alerts.rules.data_stale]\ninhibited_by = []\n", "data_stale");
    assert_eq!(alone, RuleSpec { inhibited_by: vec![], ..default("data_stale") });
}

#[test]
fn any_other_section_adds_a_rule_about_its_series() {
    let text = "[alerts.rules.cpu_idle]\nseries = \"resource.cpu_percent\"\nside = \"below\"\nenter = 1\nworse = { enter = 0.5, severity = \"error\" }\n";
    let limit = |value| Limit { enter: value, exit: value };
    let worse = Some(Worse { limit: limit(0.5), severity: Severity::Error });
    let expected = RuleSpec {
        name: "cpu_idle".to_owned(),
        series: Some("resource.cpu_percent".to_owned()),
        condition: Condition::Threshold { side: Side::Below, limit: limit(1.0), worse },
        hold: Duration::ZERO,
        keep_firing_for: Duration::from_mins(5),
        severity: Severity::Warning,
        inhibited_by: vec![],
    };
    assert_eq!(rule(text, "cpu_idle"), expected);
    let counted = rule("[alerts.rules.mine]\nseries = \"samples.lost\"\nenter = 100\n", "mine");
    assert_eq!(counted.condition, Condition::Rate { window: Duration::from_mins(5), limit: limit(100.0) });
    let event = rule("[alerts.rules.mine]\nseries = \"source.failing\"\nfor = \"1h\"\n", "mine");
    assert_eq!((event.condition, event.hold), (Condition::Event, Duration::from_hours(1)));
}

#[test]
fn a_rule_that_is_off_is_nobodys_cause() {
    let rules = read("[alerts.rules.breaker_open]\nenabled = false\n", &[]).expect("valid").rules;
    assert_eq!(rules.find("breaker_open"), None);
    let slow = rules.rule(rules.find("api_slow").expect("it is on"));
    assert_eq!(slow.inhibited_by, ["credentials_refused"]);
    // A route may still name it.
    let text = "[alerts.rules.breaker_open]\nenabled = false\n[[alerts.routes]]\nmatch.rule = \"breaker_open\"\nchannels = []\n";
    assert!(read(text, &[]).is_ok());
}

#[test]
fn what_is_wrong_with_a_rule_is_told_with_its_line_and_key() {
    let cases = [
        (
            "[alerts.rules.cpus]\nenter = 80",
            "1: alerts.rules.cpus has no series, and no rule that is on without any config has this name; did you mean cpu?",
        ),
        (
            "[alerts.rules.cpus]\nseries = \"resource.cpu\"\nenter = 80",
            "2: alerts.rules.cpus.series is \"resource.cpu\", and there is no such series; did you mean resource.cpu_percent?",
        ),
        (
            "[alerts.rules.cpus]\nseries = \"resource.cpu_percent\"",
            "2: alerts.rules.cpus.enter is not set, expected a number",
        ),
        (
            "[alerts.rules.cpu]\nfor = \"2m\"\nexit = 85",
            "3: alerts.rules.cpu.exit: 85 is above enter, 80: it would be left while it is entered",
        ),
        (
            "[alerts.rules.cpu]\nenter = 70",
            "2: alerts.rules.cpu.exit: 75 is above enter, 70: it would be left while it is entered",
        ),
        (
            "[alerts.rules.cpu]\nenter = 99",
            "2: alerts.rules.cpu.worse: it must be entered and left beyond the first level",
        ),
        (
            "[alerts.rules.cpu]\nworse.severity = \"info\"",
            "2: alerts.rules.cpu.worse: it must be more severe than the first level",
        ),
        (
            "[alerts.rules.group_errors]\nenter = nan",
            "2: alerts.rules.group_errors.enter: expected a finite number",
        ),
        (
            "[alerts.rules.rate_limited]\nexit = 0",
            "2: alerts.rules.rate_limited.exit: expected more than zero: a counter never grows by less",
        ),
        (
            "[alerts.rules.rate_limited]\nwindow = \"200h\"",
            "2: alerts.rules.rate_limited.window is 200h, expected at least 1s and at most 168h",
        ),
        (
            "[alerts.rules.cpu]\nseverity = \"fatal\"",
            "2: alerts.rules.cpu.severity is \"fatal\", expected info, warning, error or critical",
        ),
        (
            "[alerts.rules.breaker_open]\nenter = 2",
            "2: alerts.rules.breaker_open.enter has no meaning for this rule, expected one of enabled, for, keep_firing_for, severity, inhibited_by",
        ),
        (
            "[alerts.rules.cpu]\nseries = \"resource.memory_percent\"",
            "2: alerts.rules.cpu.series has no meaning for this rule, expected one of enter, exit, worse.enter, worse.exit, worse.severity, enabled, for, keep_firing_for, severity, inhibited_by",
        ),
        (
            "[alerts.rules.disk]\ninhibited_by = [\"store_dwon\"]",
            "2: alerts.rules.disk.inhibited_by: there is no rule \"store_dwon\"; did you mean store_down?",
        ),
        (
            "[alerts.rules.credentials_refused]\ninhibited_by = [\"store_down\"]",
            "2: alerts.rules.credentials_refused.inhibited_by: rules that inhibit each other are never sent: ",
        ),
        (
            "[alerts.rules.cpu]\nenabled = false\nfor = \"soon\"",
            "3: alerts.rules.cpu.for is \"soon\", expected a duration such as 30s or 5m",
        ),
    ];
    for (text, message) in cases {
        let told = errors(text);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("ttm.toml:{message}")), "{told:?}\n{message}");
    }
}

#[test]
fn a_circle_is_told_where_it_was_set_even_if_a_default_closes_it() {
    let text = "[alerts.rules.store_corrupt]\ninhibited_by = [\"samples_lost\"]\n";
    let told = errors(text);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("ttm.toml:2: alerts.rules."), "{told:?}");
    assert!(told[0].contains(".inhibited_by: rules that inhibit each other are never sent: "), "{told:?}");
}

#[test]
fn a_value_that_is_wrong_is_told_once() {
    for (text, message) in [
        ("[alerts.rules.cpu]\nenter = nan", "2: alerts.rules.cpu.enter: expected a finite number"),
        ("[alerts.rules.cpu]\nexit = nan", "2: alerts.rules.cpu.exit: expected a finite number"),
        (
            "[alerts.rules.cpu]\nworse = { enter = nan }",
            "2: alerts.rules.cpu.worse: expected a finite number",
        ),
        (
            "[alerts.rules.cpu]\nworse = { exit = -inf }",
            "2: alerts.rules.cpu.worse: expected a finite number",
        ),
        ("[alerts.rules.cpu]\nenter = \"x\"", "2: alerts.rules.cpu.enter is a string, expected a number"),
        (
            "[alerts.rules.own]\nseries = \"api.p95_seconds\"\nenter = \"x\"",
            "3: alerts.rules.own.enter is a string, expected a number",
        ),
        (
            "[alerts.rules.own]\nseries = 7\nenter = 7",
            "2: alerts.rules.own.series is an integer, expected text: ",
        ),
        (
            "[[alerts.routes]]\nchannels = \"ops\"",
            "2: alerts.routes.1.channels is a string, expected a list of texts",
        ),
        (
            "[api]\nlisten = \"0.0.0.0:80\"\ntoken_file = 7",
            "3: api.token_file is an integer, expected text: ",
        ),
    ] {
        let told = errors(text);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("ttm.toml:{message}")), "{told:?}\n{message}");
    }
}
