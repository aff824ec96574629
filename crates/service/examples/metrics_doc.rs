//! Writes the catalogue of the history as a document to standard output: `cargo xtask metrics` puts it into `docs/metrics.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use ttm_service::ServiceSettings;
use ttm_service::series::{CATALOGUE, INSTANCE, Kind, Scope, Series, Unit, Written};

fn main() {
    print!("{}", document());
}

const HEAD: &str = "\
# Metrics

Every series of the history: what the service writes to its store, and nothing else. `cargo xtask metrics` makes this document from
the catalogue in `crates/service`; do not edit it.

A key is a name and its labels in alphabetical order, as in `run.duration_ms{group=hot,instance=fra1}`. `GET /api/v1/metrics?prefix=run.`
lists the keys that have samples, `GET /api/v1/metrics/{series}?from=24h&step=5m&agg=max` answers with the history of one.

- Series of a process have the label `instance`, which is `service.instance`: the name of the host unless it is set. A key without it
  means that of the process that answers, which is named in the answer. What was recorded before the keys had an instance is part of
  that answer, and is still there under the old key.
- A value that is unknown, as the error rate without a request, is not written. So is what has not happened yet: a series begins with
  its first sample.
- A count is how often something has happened since the value before, so `agg=sum` says how often in each step. It begins with the
  first time at the latest, is 0 from then on while nothing happens, and begins anew with each process.
- An event is 1 at each time that it happens; `agg=count` says how often.
- The rules of alerts measure series of their own, which [RULES.md](../crates/alert/RULES.md) lists. What `/metrics` has for Prometheus
  says by itself what it is.
";

/// The whole document.
fn document() -> String {
    let mut text = HEAD.to_owned();
    for (scope, heading) in [
        (Scope::Process, "Of a process"),
        (Scope::Tokens, "Of all tokens together"),
        (Scope::Token, "Of a token"),
    ] {
        text.extend(["\n## ", heading, "\n\n| series | unit | kind | written | |\n|---|---|---|---|---|\n"]);
        text.extend(CATALOGUE.iter().filter(|series| series.scope == scope).map(row));
    }
    text.push_str("\n## Labels\n\n| label | values |\n|---|---|\n");
    let labels = CATALOGUE.iter().flat_map(|series| series.labels).map(|label| (label.name, label.values));
    let instance = (INSTANCE, "`service.instance`, one for each process that works on the store");
    let labels: BTreeMap<&str, &str> = labels.chain([instance]).collect();
    text.extend(labels.iter().map(|(name, values)| format!("| `{name}` | {values} |\n")));
    text
}

fn row(series: &Series) -> String {
    let Series { name, unit, kind, written, means, .. } = series;
    let labels = series.label_names().join(",");
    let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
    let (unit, kind) = (unit_of(*unit), kind_of(*kind));
    format!("| `{name}{labels}` | {unit} | {kind} | {} | {means} |\n", when(*written))
}

const fn unit_of(unit: Unit) -> &'static str {
    match unit {
        Unit::Score => "–",
        Unit::Milliseconds => "ms",
        Unit::Seconds => "s",
        Unit::Bytes => "bytes",
        Unit::Percent => "percent",
        Unit::Share => "0 to 1",
        Unit::PerMinute => "per minute",
        Unit::Tokens => "tokens",
        Unit::Count => "count",
    }
}

const fn kind_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Gauge => "gauge",
        Kind::Count => "count",
        Kind::Event => "event",
    }
}

/// In words, with the key of the config that says how often.
fn when(written: Written) -> String {
    let defaults = ServiceSettings::default();
    let check = |what: &str, every: Duration| {
        let every = SignedDuration::try_from(every).expect("the defaults are short");
        format!("every {every:#} (`monitoring.{what}_check_interval`)")
    };
    match written {
        Written::Score => "with each score".to_owned(),
        Written::RunEnd => "when a run ends".to_owned(),
        Written::NextRun => "when the next run begins".to_owned(),
        Written::HealthCheck => check("health", defaults.health_check_interval),
        Written::ResourceCheck => check("resource", defaults.resource_check_interval),
        Written::PerformanceCheck => check("performance", defaults.performance_check_interval),
        Written::Happens => "when it happens".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const FILE: &str = "../../docs/metrics.md";

    #[test]
    fn the_committed_file_is_what_is_generated() {
        let committed = fs::read_to_string(FILE).expect("the file");
        assert!(committed == document(), "{FILE} is stale: `cargo xtask metrics` writes it anew");
    }

    #[test]
    fn a_label_means_the_same_wherever_it_is() {
        let labels = || CATALOGUE.iter().flat_map(|series| series.labels);
        for label in labels() {
            let same = labels().filter(|other| other.name == label.name);
            assert!(same.into_iter().all(|other| other.values == label.values), "{}", label.name);
        }
    }
}
