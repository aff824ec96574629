//! Writes the default rules as rules of Prometheus to standard output: `cargo xtask rules` puts them into
//! `deploy/prometheus/rules.yml`. It measures nothing, and names no metric that the program does not export.

use std::fmt::{self, Write as _};
use std::time::Duration;

use jiff::SignedDuration;
use ttm_alert::defaults::{DefaultRule, RULES, SERIES};
use ttm_alert::{Condition, Limit, Unit};
use ttm_kernel::Severity;

fn main() {
    print!("{}", rules());
}

/// What the metrics say of a series.
enum Said {
    /// This expression is its value.
    By(Metric),
    /// Nothing, for this reason.
    Not(&'static str),
}

use Said::{By, Not};

struct Metric {
    /// Its value; of an event, what is there while it lasts.
    value: &'static str,
    /// Only with this is the value a limit's business.
    only: Option<&'static str>,
    /// The labels that tell its values apart, beside those of what is scraped.
    by: &'static [&'static str],
    /// The labels that the alert has besides, as they are given to Prometheus.
    labels: &'static [(&'static str, &'static str)],
}

/// The calls that scoring waits for: those of the profiles have a budget of their own, and make no figures.
macro_rules! calls {
    ($metric:literal, $outcomes:literal) => {
        concat!(
            "sum without (endpoint, outcome) (rate(",
            $metric,
            "{endpoint=~\"tokens|token-pairs\", outcome=~\"",
            $outcomes,
            "\"}[5m]))"
        )
    };
}

/// A share of fewer is not significant to the service, either.
const ENOUGH_CALLS: Option<&str> = Some(
    "sum without (endpoint, outcome) (increase(ttm_api_requests_total{endpoint=~\"tokens|token-pairs\", outcome=~\"ok|error\"}[5m])) >= 10",
);

const OF_THE_API: &[(&str, &str)] = &[("api", "dexscreener")];
const RESOURCES: Said = Not("the resources are on /health/resources, and not among the metrics");
const STORES: Said = Not("the state of each store is on /health/detailed, and not among the metrics");
const STATUSES: Said = Not("ttm_api_requests_total does not say with which status a call failed");

/// Every series, and what the metrics say of it.
const METRICS: [(&str, Said); SERIES.len()] = [
    ("group.overdue_seconds", Not("when a group's next run is due is not among the metrics")),
    ("group.error_percent", Not("ttm_tokens_served_total does not tell what failed from what was deferred")),
    (
        "group.without_progress_seconds",
        Not("a run that finds nothing due is progress, and no metric says which ones did"),
    ),
    ("resource.memory_percent", RESOURCES),
    ("resource.cpu_percent", RESOURCES),
    ("resource.disk_percent", RESOURCES),
    ("resource.file_descriptor_percent", RESOURCES),
    (
        "api.p95_seconds",
        By(Metric {
            value: concat!(
                "histogram_quantile(0.95, ",
                calls!("ttm_api_request_seconds_bucket", "ok|error"),
                ")"
            ),
            only: ENOUGH_CALLS,
            by: &[],
            labels: OF_THE_API,
        }),
    ),
    (
        "api.error_percent",
        By(Metric {
            value: concat!(
                "100 * ",
                calls!("ttm_api_requests_total", "error"),
                " / ",
                calls!("ttm_api_requests_total", "ok|error")
            ),
            only: ENOUGH_CALLS,
            by: &[],
            labels: OF_THE_API,
        }),
    ),
    ("api.rate_limited", STATUSES),
    ("api.forbidden", STATUSES),
    (
        "breaker.open",
        By(Metric {
            value: "max without (state) (ttm_breaker_state{state=~\"open|half_open|forced_open\"}) == 1",
            only: None,
            by: &["breaker"],
            labels: &[("api", "{{ $labels.breaker }}")],
        }),
    ),
    ("recovery.budget_spent", Not("ttm_recoveries_total counts what was given up, and not that it is over")),
    ("recovery.withheld", Not("ttm_restarts_withheld_total counts decisions, and not that one is over")),
    (
        "data.stale_percent",
        By(Metric {
            value: "100 * ttm_tokens_stale / ttm_tokens",
            only: None,
            by: &["lane"],
            labels: OF_THE_API,
        }),
    ),
    ("store.down", STORES),
    ("store.corrupt", STORES),
    ("credentials.refused", Not("what a store or an API answers is on /health, and not among the metrics")),
    (
        "samples.lost",
        By(Metric {
            value: "increase(ttm_samples_dropped[5m]) + increase(ttm_events_dropped[5m])",
            only: None,
            by: &[],
            labels: &[("store", "metrics store")],
        }),
    ),
    (
        "source.failing",
        By(Metric {
            value: "ttm_source_up == 0",
            only: None,
            by: &["origin"],
            labels: &[("source", "{{ $labels.origin }}")],
        }),
    ),
    ("clock.stepped", Not("Prometheus has a clock of its own, and no metric says what this one does")),
    (
        "heartbeat.failing",
        Not(
            "whoever scrapes is such a receiver itself: absent(ttm_uptime_seconds) says that nothing is left",
        ),
    ),
    ("channel.failing", Not("what becomes of messages is not among the metrics")),
];

const NO_SERIES: &str = "what is not measured any more keeps its last value among the metrics";

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
        let said = METRICS.iter().find(|(series, _)| Some(*series) == rule.series);
        match said.map(|(_, said)| said) {
            Some(By(metric)) => put(&mut file, rule, metric),
            Some(Not(why)) => unsay(&mut unsaid, rule, why),
            None => unsay(&mut unsaid, rule, NO_SERIES),
        }
    }
    file + "\n# PromQL cannot say these of what /metrics has:\n" + &unsaid
}

fn unsay(unsaid: &mut String, rule: &DefaultRule, why: &str) {
    let about = rule.series.map_or_else(|| "a collector".to_owned(), str::to_owned);
    put_line(unsaid, format_args!("# - {} ({about}): {why}", rule.name));
}

/// One rule for each level.
fn put(file: &mut String, rule: &DefaultRule, metric: &Metric) {
    if !rule.inhibited_by.is_empty() {
        let causes = rule.inhibited_by.join(", ");
        put_line(file, format_args!("      # The service tells {} in the message of {causes}.", rule.name));
    }
    let (_, limit) = rule.condition.limit();
    let worse = rule.condition.worse().map(|worse| (worse.severity, worse.limit));
    for (severity, limit) in std::iter::once((rule.severity, limit)).chain(worse) {
        let severity = word(severity);
        put_line(file, format_args!("      - alert: {}\n        expr: |-", rule.name));
        for line in expression(rule, metric, severity.as_str(), limit) {
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
        for (label, value) in metric.labels {
            put_line(file, format_args!("          {label}: '{value}'"));
        }
        let (name, meaning) = (rule.name, rule.meaning);
        put_line(
            file,
            format_args!("        annotations:\n          summary: '{}'", meaning.replace('\'', "''")),
        );
        put_line(file, format_args!("          description: '{}'", description(rule, limit)));
        put_line(file, format_args!("          runbook: docs/runbooks/{name}.md"));
    }
}

/// What is true from the enter on, and while it fires down to the exit.
fn expression(
    rule: &DefaultRule,
    metric: &Metric,
    severity: &str,
    Limit { enter, exit }: Limit,
) -> Vec<String> {
    let Metric { value, only, by, .. } = metric;
    if rule.condition == Condition::Event {
        return vec![(*value).to_owned()];
    }
    let only = only.map(|only| format!("  and {only}"));
    let mut lines: Vec<String> = std::iter::once(format!("{value} >= {enter}")).chain(only).collect();
    if exit < enter {
        let labels = [&["job", "instance"], *by].concat().join(", ");
        let name = rule.name;
        lines.push("or".to_owned());
        lines.push(format!("{value} >= {exit}"));
        lines.push(format!(
            "  and on ({labels}) ALERTS{{alertname=\"{name}\", severity=\"{severity}\", alertstate=\"firing\"}}"
        ));
    }
    lines
}

fn description(rule: &DefaultRule, Limit { enter, exit }: Limit) -> String {
    let unit =
        rule.series.and_then(|name| SERIES.iter().find(|it| it.name == name)).map(|series| series.unit);
    let unit = match unit {
        Some(Unit::Percent) => " %",
        Some(Unit::Seconds) => " s",
        Some(Unit::Count | Unit::Flag) | None => "",
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

    use super::*;

    const FILE: &str = "../../deploy/prometheus/rules.yml";

    #[test]
    fn the_committed_file_is_what_is_generated() {
        let committed = fs::read_to_string(FILE).expect("the file");
        assert!(committed == rules(), "{FILE} is stale: `cargo xtask rules` writes it anew");
    }

    #[test]
    fn every_series_has_its_place_in_the_table() {
        let named = METRICS.map(|(series, _)| series);
        assert_eq!(named, SERIES.map(|series| series.name));
    }

    /// Whether a metric tells everything apart that the rule does.
    #[test]
    fn an_alert_has_the_labels_of_its_rule() {
        for (series, said) in &METRICS {
            let By(metric) = said else { continue };
            let wanted = SERIES.iter().find(|it| it.name == *series).expect("it is listed").labels;
            let given: Vec<&str> =
                metric.labels.iter().map(|(label, _)| *label).chain(metric.by.iter().copied()).collect();
            assert!(wanted.iter().all(|label| given.contains(label)), "{series}: {given:?} of {wanted:?}");
        }
    }
}
