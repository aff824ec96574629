//! Writes the default rules as rules of Prometheus to standard output: `cargo xtask rules` puts them into
//! `deploy/prometheus/rules.yml`. It measures nothing, and names no metric that the program does not export.

use std::fmt::{self, Write as _};
use std::time::Duration;

use jiff::SignedDuration;
use ttm_alert::defaults::{DefaultRule, RULES, SERIES};
use ttm_alert::{Condition, Limit, Series, Unit};
use ttm_kernel::Severity;
use ttm_service::metric_name;

fn main() {
    print!("{}", rules());
}

/// What a rule is about that no metric says, with the reason.
const UNSAID: [(&str, &str); 1] = [(
    "collector_stale",
    "the metrics of a collector that is stuck keep their last values, and what is not a number may be idle",
)];

const HEAD: &str = "\
# The default rules of crates/alert/RULES.md as far as PromQL can say them; `cargo xtask rules` writes this file, do not edit it.
# README.md beside it says how to use it, and how it differs from what the service does by itself.
groups:
  - name: ttm
    interval: 30s
    rules:
";

/// The whole file.
fn rules() -> String {
    let mut file = HEAD.to_owned();
    let mut unsaid = String::new();
    for rule in &RULES {
        let about = rule.series.and_then(|name| SERIES.iter().find(|series| series.name == name));
        match (UNSAID.iter().find(|(name, _)| *name == rule.name), about) {
            (None, Some(series)) => put(&mut file, rule, series),
            (why, _) => {
                let why = why.map_or("no reason is given", |(_, why)| *why);
                let about = rule.series.unwrap_or("a collector");
                put_line(&mut unsaid, format_args!("# - {} ({about}): {why}", rule.name));
            }
        }
    }
    file + "\n# PromQL cannot say these of what /metrics has:\n" + &unsaid
}

/// One rule for each level.
fn put(file: &mut String, rule: &DefaultRule, series: &Series) {
    if !rule.inhibited_by.is_empty() {
        let causes = rule.inhibited_by.join(", ");
        put_line(file, format_args!("      # The service tells {} in the message of {causes}.", rule.name));
    }
    let (_, limit) = rule.condition.limit();
    let worse = rule.condition.worse().map(|worse| (worse.severity, worse.limit));
    for (severity, limit) in std::iter::once((rule.severity, limit)).chain(worse) {
        let severity = word(severity);
        put_line(file, format_args!("      - alert: {}\n        expr: |-", rule.name));
        for line in expression(rule, series, severity.as_str(), limit) {
            put_line(file, format_args!("          {line}"));
        }
        for (name, seconds) in [("for", rule.hold), ("keep_firing_for", rule.keep)] {
            if seconds > 0 {
                put_line(file, format_args!("        {name}: {}", spoken(seconds)));
            }
        }
        put_line(
            file,
            format_args!("        labels:\n          severity: {severity}\n          rule: {}", rule.name),
        );
        let (name, meaning) = (rule.name, rule.meaning);
        put_line(
            file,
            format_args!("        annotations:\n          summary: '{}'", meaning.replace('\'', "''")),
        );
        put_line(file, format_args!("          description: '{}'", description(rule, series, limit)));
        put_line(file, format_args!("          runbook: docs/runbooks/{name}.md"));
    }
}

/// What is true from the enter on, and while it fires down to the exit.
fn expression(
    rule: &DefaultRule,
    series: &Series,
    severity: &str,
    Limit { enter, exit }: Limit,
) -> Vec<String> {
    let metric = metric_name(series.name);
    let value = match rule.condition {
        Condition::Event => return vec![format!("{metric} == 1")],
        Condition::Rate { window, .. } => growth(&metric, window),
        Condition::Threshold { .. } | Condition::Absence { .. } => metric,
    };
    let mut lines = vec![format!("{value} >= {enter}")];
    if exit < enter {
        let labels = [&["job", "instance"], series.labels].concat().join(", ");
        let name = rule.name;
        lines.push("or".to_owned());
        lines.push(format!("{value} >= {exit}"));
        lines.push(format!(
            "  and on ({labels}) ALERTS{{alertname=\"{name}\", severity=\"{severity}\", alertstate=\"firing\"}}"
        ));
    }
    lines
}

/// How much a total has grown within the window, to the very count: `increase` extrapolates to the ends of the window, so that nine
/// would be ten. After a restart within the window the total began at zero within it, and is the growth.
fn growth(metric: &str, window: Duration) -> String {
    let window = spoken(window.as_secs());
    format!(
        "({metric} - (min_over_time({metric}[{window}]) unless resets({metric}[{window}]) > 0) or {metric})"
    )
}

fn description(rule: &DefaultRule, series: &Series, Limit { enter, exit }: Limit) -> String {
    let unit = match series.unit {
        Unit::Percent => " %",
        Unit::Seconds => " s",
        Unit::Count | Unit::Flag => "",
    };
    let says = format!("ttm alerts explain {}", rule.name);
    let value = "{{ $value | printf \"%.4g\" }}";
    match rule.condition {
        Condition::Event => format!("It lasts. What to do: {says}"),
        Condition::Rate { window, .. } => {
            let window = spoken(window.as_secs());
            format!("{value} within {window}; the limit is {enter}. What to do: {says}")
        }
        Condition::Threshold { .. } | Condition::Absence { .. } => {
            format!(
                "{value}{unit}; the limit is {enter}{unit}, and it is over below {exit}{unit}. What to do: {says}"
            )
        }
    }
}

/// As the service calls it in Alertmanager.
fn word(severity: Severity) -> String {
    severity.as_str().to_lowercase()
}

fn spoken(seconds: u64) -> String {
    let time = SignedDuration::try_from(Duration::from_secs(seconds)).expect("the defaults are short");
    format!("{time:#}")
}

fn put_line(text: &mut String, line: fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a text takes all");
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ttm_alert::Side;

    use super::*;

    const FILE: &str = "../../deploy/prometheus/rules.yml";

    #[test]
    fn the_committed_file_is_what_is_generated() {
        let committed = fs::read_to_string(FILE).expect("the file");
        assert!(committed == rules(), "{FILE} is stale: `cargo xtask rules` writes it anew");
    }

    #[test]
    fn what_is_not_said_has_a_reason_and_all_else_a_series() {
        for (name, _) in UNSAID {
            assert!(RULES.iter().any(|rule| rule.name == name), "there is no rule {name}");
        }
        for rule in RULES.iter().filter(|rule| UNSAID.iter().all(|(name, _)| *name != rule.name)) {
            assert!(SERIES.iter().any(|series| Some(series.name) == rule.series), "{}", rule.name);
            assert_eq!(rule.condition.limit().0, Side::Above, "{}: only this side is written", rule.name);
        }
    }
}
