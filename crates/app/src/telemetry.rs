//! Logs and Prometheus metrics of the process. Text on a terminal, JSON otherwise; both go to stderr, so that answers
//! on stdout stay clean. It decides nothing about what is worth a line.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Starts the log. `filter` is a level, or directives such as `info,ttm_app=debug`.
///
/// # Errors
/// A filter that is none, in one line.
pub(crate) fn log(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        format!("--log is {filter:?}: {error}; expected a level such as info, or ttm_app=debug")
    })?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let done = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().flatten_event(true).with_ansi(false).try_init()
    };
    done.map_err(|error| format!("the log cannot start: {error}"))
}

/// Starts the recorder of the metrics; the handle renders them.
pub(crate) fn prometheus() -> Result<PrometheusHandle, String> {
    // From a fast answer on a good day to the longest deadline.
    const SECONDS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .map_err(|error| error.to_string())?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
    describe();
    Ok(handle)
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    counter!("ttm_api_requests_total", "Attempts of calls to the API, by endpoint and outcome.");
    histogram!("ttm_api_request_seconds", "Time of an attempt, by endpoint and outcome.");
    counter!(
        "ttm_breaker_transitions_total",
        "Changes of a breaker's state, by the state entered; what is suppressed changes nothing."
    );
    gauge!("ttm_breaker_state", "1 for the state that the breaker is in.");
    counter!(
        "ttm_requests_total",
        "Requests that the dispatcher made, by priority; retries are attempts alone."
    );
    gauge!("ttm_requests_per_minute_allowed", "The budget: less than configured after a 429.");
    gauge!("ttm_cycle_seconds", "Time in which each token is asked for once, as computed, by lane.");
    gauge!("ttm_tokens_deferred", "Tokens that are due and wait for their turn, by lane.");
    counter!("ttm_runs_total", "Runs of the groups, by group.");
    histogram!("ttm_run_seconds", "Time of a run, by group.");
    counter!("ttm_tokens_scored_total", "Scores computed.");
    counter!(
        "ttm_tokens_served_total",
        "Tokens that were due, by group and by how they are served: fresh, cached (seen just before), stale (marked), skipped."
    );
    counter!("ttm_observations_missing_total", "Tokens found neither in a batch nor singly.");
    counter!("ttm_numbers_unusable_total", "Numbers of pools that were negative or not finite.");
    counter!("ttm_batches_suspicious_total", "Batches of many mints that came back without a pair.");
    counter!("ttm_pairs_skipped_total", "Pairs that were left out, by reason.");
    gauge!("ttm_tokens", "Listed tokens, by lane.");
    gauge!("ttm_tokens_stale", "Tokens older than their lane allows, by lane.");
    gauge!("ttm_tokens_expired", "Tokens too old to be of any use, by lane.");
    gauge!("ttm_pool_lists_bytes", "Full lists of pools that are kept to score from, about.");
    gauge!("ttm_token_age_p95_seconds", "Age of the data, by lane.");
    gauge!("ttm_health", "1 for the status of the whole.");
    counter!("ttm_samples_stored_total", "Samples that the store acknowledged.");
    counter!("ttm_source_failures_total", "Looks at a list of tokens that failed, by origin.");
    gauge!("ttm_source_up", "1 while a list of tokens is usable, by origin.");
    gauge!("ttm_source_tokens", "Mints that a list of tokens held when it was usable last, by origin.");
    gauge!(
        "ttm_source_unusable_entries",
        "Entries of a list of tokens that are no mints and left out, by origin."
    );
    gauge!("ttm_samples_waiting", "Samples that are not stored yet.");
    gauge!("ttm_samples_dropped", "Samples given up since the start.");
    counter!("ttm_token_states_stored_total", "Newest states of tokens that the store acknowledged.");
    counter!("ttm_breaker_states_stored_total", "States of breakers that the store acknowledged.");
    counter!(
        "ttm_refused_total",
        "Entries that the store refused for good, and that are lost, by what it was used for."
    );
    counter!("ttm_events_stored_total", "Events that the store acknowledged.");
    gauge!("ttm_events_waiting", "Events that are not stored yet.");
    gauge!("ttm_events_dropped", "Events given up since the start.");
    gauge!("ttm_uptime_seconds", "Time since the start.");
}
