//! The series that the service writes to the history, and the samples that it makes of its results. It stores nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ttm_kernel::{Instance, Lane};
use ttm_market::{Components, Mint, ScoreState};
use ttm_perf::{Sample, SeriesKey};
use ttm_schedule::RunOutcome;

use crate::tally::Tally;

mod catalogue;
mod entry;

pub use catalogue::CATALOGUE;
pub use entry::{INSTANCE, Kind, Label, Scope, Series, Unit, Written};

/// The entry with this name.
pub fn find(name: &str) -> Option<&'static Series> {
    CATALOGUE.iter().find(|series| series.name == name)
}

/// The series of this instance that somebody means who leaves its name out. `None` if nothing was left out.
pub fn of_instance(asked: &SeriesKey, instance: &Instance) -> Option<SeriesKey> {
    let series = find(asked.name()).filter(|series| series.scope == Scope::Process)?;
    let is_all_else = asked.labels().map(|(label, _)| label).eq(series.labels.iter().map(|label| label.name));
    is_all_else.then(|| asked.with_label(INSTANCE, instance.as_str()).ok()).flatten()
}

/// One sample of what the catalogue has under this name, with the values of its labels in their order. `None` if the value is not
/// finite, which no series holds.
pub(super) fn sample(
    instance: &Instance,
    name: &str,
    labels: &[&str],
    at: Timestamp,
    value: f64,
) -> Option<Sample> {
    Sample::try_new(key(instance, name, labels), at, value).ok()
}

fn key(instance: &Instance, name: &str, values: &[&str]) -> SeriesKey {
    let series = find(name).unwrap_or_else(|| panic!("{name} is not in the catalogue"));
    assert_eq!(series.labels.len(), values.len(), "{name} has a value for each of its labels");
    let mut labels: Vec<(&str, &str)> =
        series.labels.iter().map(|label| label.name).zip(values.iter().copied()).collect();
    if series.scope == Scope::Process {
        labels.push((INSTANCE, instance.as_str()));
        labels.sort_unstable();
    }
    let mut text = name.to_owned();
    for (i, (label, value)) in labels.iter().enumerate() {
        text.extend([if i == 0 { "{" } else { "," }, label, "=", value]);
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
    // Of a token, whichever process looks at it.
    let nobody = Instance::default();
    SCORE_NAMES.map(|name| key(&nobody, name, &[&mint]))
}

/// What a run came to.
pub(super) fn of_run(
    instance: &Instance,
    lane: Lane,
    took: std::time::Duration,
    outcome: &RunOutcome,
    at: Timestamp,
) -> Vec<Sample> {
    let errors = [("api", outcome.failed.saturating_sub(outcome.broken)), ("service", outcome.broken)].map(
        |(component, failed)| sample(instance, "run.errors", &[component, lane.as_str()], at, failed as f64),
    );
    [
        ("run.duration_ms", took.as_secs_f64() * 1e3),
        ("run.attempted", outcome.attempted as f64),
        ("run.processed", outcome.processed as f64),
        ("run.failed", outcome.failed as f64),
        ("run.stale", outcome.stale as f64),
        ("run.skipped", outcome.skipped as f64),
        ("run.cached", outcome.cached as f64),
        ("run.deferred", outcome.deferred as f64),
    ]
    .into_iter()
    .map(|(name, value)| sample(instance, name, &[lane.as_str()], at, value))
    .chain(errors)
    .flatten()
    .collect()
}

/// What times are written as: how many, their mean and the longest, by the first of the three.
const TIMED: [[&str; 3]; 2] = [
    ["api.endpoint_calls", "api.endpoint_mean_ms", "api.endpoint_max_ms"],
    ["http.requests", "http.mean_ms", "http.max_ms"],
];

/// What has come together since it was last written.
pub(super) fn of_tally(instance: &Instance, tally: &Tally, at: Timestamp) -> Vec<Sample> {
    let of = |name: &str, labels: &[String], value: f64| {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        sample(instance, name, &labels, at, value)
    };
    let counts =
        tally.take_counts().into_iter().map(|((name, labels), count)| of(name, &labels, count as f64));
    let times = tally.take_times().into_iter().flat_map(|((name, labels), times)| {
        let names = TIMED.iter().find(|names| names[0] == name).expect("all times have their names");
        let figures = [Some(times.count()), times.mean_ms(), times.max_ms()];
        let known = names.iter().zip(figures).filter_map(|(name, figure)| Some((name, figure?)));
        known.map(|(name, figure)| of(name, &labels, figure)).collect::<Vec<_>>()
    });
    counts.chain(times).flatten().collect()
}

/// What is known of a run once the next one begins: how long that took, and so at which rate it refreshed tokens.
pub(super) fn of_interval(
    instance: &Instance,
    lane: Lane,
    interval: std::time::Duration,
    processed: u64,
    at: Timestamp,
) -> impl Iterator<Item = Sample> {
    // Two starts at one moment have no rate.
    let rate = processed as f64 * 60.0 / interval.as_secs_f64();
    let samples = [("run.interval_ms", interval.as_secs_f64() * 1e3), ("run.tokens_per_minute", rate)]
        .map(|(name, value)| sample(instance, name, &[lane.as_str()], at, value));
    samples.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn instance() -> Instance {
        "fra1".parse().expect("a name")
    }

    #[test]
    fn names_are_unique_and_labels_in_order() {
        let names: BTreeSet<&str> = CATALOGUE.iter().map(|series| series.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        for series in CATALOGUE {
            assert!(series.labels.is_sorted_by_key(|label| label.name), "{}", series.name);
            assert!(series.means.ends_with('.') && !series.means.contains('|'), "{}", series.name);
        }
    }

    #[test]
    fn what_is_of_a_process_has_its_instance_and_what_is_of_tokens_none() {
        let of = |name: &str, labels: &[&str]| {
            let sample = sample(&instance(), name, labels, Timestamp::UNIX_EPOCH, 1.0).expect("finite");
            sample.series().to_string()
        };
        assert_eq!(of("resource.cpu_percent", &[]), "resource.cpu_percent{instance=fra1}");
        assert_eq!(of("run.failed", &["hot"]), "run.failed{group=hot,instance=fra1}");
        assert_eq!(
            of("recovery.step", &["work", "start"]),
            "recovery.step{instance=fra1,part=work,step=start}"
        );
        assert_eq!(of("tokens.age_p95_seconds", &["hot"]), "tokens.age_p95_seconds{lane=hot}");
        assert_eq!(of("token.score", &["So1"]), "token.score{mint=So1}");
        for (prefix, scope) in [
            ("run.", Scope::Process),
            ("api.", Scope::Process),
            ("resource.", Scope::Process),
            ("token.", Scope::Token),
        ] {
            let named = CATALOGUE.iter().filter(|series| series.name.starts_with(prefix));
            assert!(named.into_iter().all(|series| series.scope == scope), "{prefix}");
        }
    }

    #[test]
    fn the_longest_instance_fits_into_every_key() {
        let longest: Instance = "x".repeat(Instance::MAX_BYTES).parse().expect("a name");
        for series in CATALOGUE {
            let value = "x".repeat(64);
            let values: Vec<&str> = series.labels.iter().map(|_| &*value).collect();
            assert!(sample(&longest, series.name, &values, Timestamp::UNIX_EPOCH, 1.0).is_some());
        }
    }

    #[test]
    fn a_key_without_the_instance_means_that_of_this_process() {
        let of = |asked: &str| {
            let own = of_instance(&asked.parse().expect("a series"), &instance());
            own.map(|own| own.to_string())
        };
        assert_eq!(of("api.p95_ms").as_deref(), Some("api.p95_ms{instance=fra1}"));
        assert_eq!(of("run.failed{group=hot}").as_deref(), Some("run.failed{group=hot,instance=fra1}"));
        for complete in ["api.p95_ms{instance=fra2}", "tokens.per_minute", "token.score{mint=So1}", "nothing"]
        {
            assert_eq!(of(complete), None, "{complete}");
        }
        // The group is missing too.
        assert_eq!(of("run.failed"), None);
    }
}
