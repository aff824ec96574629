//! The rules of Prometheus in `deploy`, judged by Prometheus's own tool, and about metrics that the program exports.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use ttm_e2e::{Program, get, market, ttm};

const FOLDER: &str = "../deploy/prometheus";

#[track_caller]
fn promtool(arguments: &[&str]) {
    let mut command = Command::new("promtool");
    let done = command.current_dir(FOLDER).args(arguments).output();
    let done =
        done.expect("promtool is not installed: run cargo xtask test, or install the package prometheus");
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(done.status.success(), "{said}");
}

#[test]
fn prometheus_takes_the_rules() {
    promtool(&["check", "rules", "rules.yml"]);
}

#[test]
fn every_rule_fires_at_its_limit_after_its_time_and_not_below() {
    promtool(&["test", "rules", "tests.yml"]);
    let read = |file: &str| fs::read_to_string(format!("{FOLDER}/{file}")).expect("UTF-8");
    let (rules, tests) = (read("rules.yml"), read("tests.yml"));
    let mut alerts = 0;
    for rule in rules.split("- alert: ").skip(1) {
        let (name, rest) = rule.split_once('\n').expect("a name");
        let severity = rest.split("severity: ").nth(1).and_then(|rest| rest.lines().next()).expect("one");
        let fires = format!("{{labels: '{{alertname=\"{name}\", severity=\"{severity}\"}}', value: ");
        assert!(tests.contains(&fires), "tests.yml has no test in which {name} fires as {severity}");
        alerts += 1;
    }
    assert!(alerts > 0, "there are no rules");
}

#[test]
fn every_metric_that_a_rule_is_about_is_exported() {
    let rules = fs::read_to_string(format!("{FOLDER}/rules.yml")).expect("UTF-8");
    let rules = rules.lines().filter(|line| !line.trim_start().starts_with('#'));
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = rules.flat_map(|line| line.split(|c| !is_part(c)));
    let metrics: BTreeSet<&str> = words.filter(|word| word.starts_with("ttm_")).collect();
    assert!(metrics.len() >= 5, "{metrics:?}");

    let (market, folder) = (market(5), tempfile::tempdir().expect("a folder"));
    let mints: Vec<String> = market.mints().iter().map(ToString::to_string).collect();
    fs::write(folder.path().join("mints.txt"), mints.join("\n")).expect("written");
    let mut program = Program::start(ttm(folder.path()).args(["run", "--log", "info"]).envs([
        ("TTM_API__LISTEN", "127.0.0.1:0"),
        ("TTM_DEXSCREENER__BASE_URL", &market.base_url()),
        ("TTM_SCHEDULER__HOT_INTERVAL", "1s"),
        ("TTM_SCHEDULER__COLD_INTERVAL", "1s"),
        ("TTM_SOURCES__FILE", "mints.txt"),
    ]));
    let address = program.address();
    // A second later there was a report as well.
    for _ in 0..2 {
        program.wait_for("a run that scored", |entry| entry["processed"].as_u64() > Some(0));
    }
    let exported = get(address, "/metrics").body;
    for metric in metrics {
        let is_there = exported
            .lines()
            .any(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' '])));
        assert!(is_there, "the program exports no {metric}");
    }
}
