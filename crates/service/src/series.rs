//! The names of the series that the service produces, and the samples it makes of its results. It stores nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ttm_kernel::Lane;
use ttm_market::{Components, Mint, ScoreState};
use ttm_perf::{Sample, SeriesKey};
use ttm_schedule::RunOutcome;

/// Every name, for documentation and for readers that list them.
pub const NAMES: &[(&str, &str)] = &[
    ("token.score{mint=…}", "raw score"),
    ("token.smoothed_score{mint=…}", "score after the EWMA"),
    ("token.tx_accel{mint=…}", "component, as computed"),
    ("token.vol_momentum{mint=…}", "component, as computed"),
    ("token.freshness{mint=…}", "component, as computed"),
    ("token.orderflow{mint=…}", "component, as computed"),
    ("run.duration_ms{group=…}", "time from a run's start to its end"),
    ("run.attempted{group=…}", "tokens that a run requested"),
    ("run.failed{group=…}", "tokens that a run could not refresh"),
    ("run.stale{group=…}", "of the failed, those that are served on, marked"),
    ("run.skipped{group=…}", "of the failed, those of which too little is known"),
    ("run.cached{group=…}", "tokens that were due and had been seen just before"),
    ("run.deferred{group=…}", "tokens that were due and did not fit"),
    ("api.requests_per_minute", "attempts of the last minute"),
    ("api.error_rate", "share of failed attempts over five minutes"),
    ("api.p50_ms", "response time over five minutes"),
    ("api.p95_ms", "response time over five minutes"),
    ("api.p99_ms", "response time over five minutes"),
    ("resource.memory_bytes", "resident memory"),
    ("resource.cpu_percent", "share of what the process may use"),
    ("resource.disk_usage_percent", "of the data path's file system"),
    ("resource.open_file_descriptors", "open descriptors"),
    ("tokens.per_minute", "tokens scored in the last minute"),
    ("tokens.age_p95_seconds{lane=…}", "age of the lane's data"),
];

/// One sample. `None` if the value is not finite, which no series holds.
pub(super) fn sample(name: &str, labels: &[(&str, &str)], at: Timestamp, value: f64) -> Option<Sample> {
    Sample::try_new(key(name, labels), at, value).ok()
}

fn key(name: &str, labels: &[(&str, &str)]) -> SeriesKey {
    let mut text = name.to_owned();
    for (i, (label, word)) in labels.iter().enumerate() {
        text.extend([if i == 0 { "{" } else { "," }, label, "=", word]);
    }
    if !labels.is_empty() {
        text.push('}');
    }
    text.parse().expect("names and labels are of the form that keys have")
}

/// The series of the tokens. Making six keys of a mint costs more than scoring it, so those of as many tokens as are
/// scored in a minute are kept; the keys of others are made each time.
#[derive(Debug, Default)]
pub(super) struct ScoreSeries {
    kept: BTreeMap<Mint, [SeriesKey; SCORE_NAMES.len()]>,
}

/// What the API's budget of a minute holds, at about 700 bytes a token.
const KEPT: usize = 9_000;

const SCORE_NAMES: [&str; 6] = [
    "token.score",
    "token.smoothed_score",
    "token.tx_accel",
    "token.vol_momentum",
    "token.freshness",
    "token.orderflow",
];

impl ScoreSeries {
    /// Samples of a token's score and its components.
    pub(super) fn samples(&mut self, mint: Mint, score: &ScoreState) -> [Option<Sample>; 6] {
        let keys = match self.kept.get(&mint) {
            Some(keys) => keys.clone(),
            None if self.kept.len() < KEPT => self.kept.entry(mint).or_insert(score_keys(&mint)).clone(),
            None => score_keys(&mint),
        };
        let Components { tx_accel, vol_momentum, freshness, orderflow } = score.raw.components;
        let values = [score.raw.value, score.smoothed.value, tx_accel, vol_momentum, freshness, orderflow];
        let mut values = values.into_iter();
        keys.map(|key| Sample::try_new(key, score.at, values.next()?).ok())
    }
}

fn score_keys(mint: &Mint) -> [SeriesKey; SCORE_NAMES.len()] {
    let mint = mint.to_string();
    SCORE_NAMES.map(|name| key(name, &[("mint", &mint)]))
}

/// What a run came to.
pub(super) fn of_run(
    lane: Lane,
    took: std::time::Duration,
    outcome: &RunOutcome,
    at: Timestamp,
) -> impl Iterator<Item = Sample> {
    let outcome = *outcome;
    [
        ("run.duration_ms", took.as_secs_f64() * 1e3),
        ("run.attempted", outcome.attempted as f64),
        ("run.failed", outcome.failed as f64),
        ("run.stale", outcome.stale as f64),
        ("run.skipped", outcome.skipped as f64),
        ("run.cached", outcome.cached as f64),
        ("run.deferred", outcome.deferred as f64),
    ]
    .into_iter()
    .filter_map(move |(name, value)| sample(name, &[("group", lane.as_str())], at, value))
}
