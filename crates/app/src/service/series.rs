//! The names of the series that the service produces, and the samples it makes of its results. It stores nothing.

use jiff::Timestamp;
use ttm_market::{Mint, ScoreState};
use ttm_perf::{Sample, SeriesKey};
use ttm_schedule::{Group, RunOutcome};

/// Every name, for documentation and for readers that list them.
pub const NAMES: &[(&str, &str)] = &[
    ("token.score{mint=…}", "raw score"),
    ("token.smoothed_score{mint=…}", "score after the EWMA"),
    ("token.tx_accel{mint=…}", "component, as computed"),
    ("token.vol_momentum{mint=…}", "component, as computed"),
    ("token.freshness{mint=…}", "component, as computed"),
    ("token.orderflow{mint=…}", "component, as computed"),
    ("run.duration_ms{group=…}", "time from a run's start to its end"),
    ("run.attempted{group=…}", "tokens that a run asked for"),
    ("run.failed{group=…}", "tokens that a run could not refresh"),
    ("run.deferred{group=…}", "tokens that were due and did not fit"),
    ("api.requests_per_minute", "attempts of the last minute"),
    ("api.error_rate", "share of failed attempts over five minutes"),
    ("api.p50_ms", "response time over five minutes"),
    ("api.p95_ms", "response time over five minutes"),
    ("api.p99_ms", "response time over five minutes"),
    ("resource.memory_bytes", "resident memory"),
    ("resource.cpu_percent", "share of one core"),
    ("resource.disk_usage_percent", "of the data path's file system"),
    ("resource.open_file_descriptors", "open descriptors"),
    ("tokens.per_minute", "tokens scored in the last minute"),
    ("tokens.age_p95_seconds{lane=…}", "age of the lane's data"),
];

/// One sample; none when the value is not finite, which no series holds.
pub(super) fn sample(name: &str, labels: &[(&str, &str)], at: Timestamp, value: f64) -> Option<Sample> {
    let mut key = name.to_owned();
    for (i, (label, word)) in labels.iter().enumerate() {
        key.push(if i == 0 { '{' } else { ',' });
        key.push_str(label);
        key.push('=');
        key.push_str(word);
    }
    if !labels.is_empty() {
        key.push('}');
    }
    let key: SeriesKey = key.parse().expect("names and labels above are of the form that keys have");
    Sample::try_new(key, at, value).ok()
}

/// A token's score and its components.
pub(super) fn of_score(mint: &Mint, score: &ScoreState) -> impl Iterator<Item = Sample> {
    let mint = mint.to_string();
    let components = score.raw.components;
    let at = score.at;
    [
        ("token.score", score.raw.value),
        ("token.smoothed_score", score.smoothed.value),
        ("token.tx_accel", components.tx_accel),
        ("token.vol_momentum", components.vol_momentum),
        ("token.freshness", components.freshness),
        ("token.orderflow", components.orderflow),
    ]
    .into_iter()
    .filter_map(move |(name, value)| sample(name, &[("mint", &mint)], at, value))
}

/// What a run came to.
pub(super) fn of_run(
    group: Group,
    took: std::time::Duration,
    outcome: &RunOutcome,
    at: Timestamp,
) -> impl Iterator<Item = Sample> {
    let outcome = *outcome;
    [
        ("run.duration_ms", took.as_secs_f64() * 1e3),
        ("run.attempted", outcome.attempted as f64),
        ("run.failed", outcome.failed as f64),
        ("run.deferred", outcome.deferred as f64),
    ]
    .into_iter()
    .filter_map(move |(name, value)| sample(name, &[("group", group.as_str())], at, value))
}
