//! The process's metrics, for Prometheus. It decides nothing about what is counted.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// Starts the recorder of the metrics; the handle renders them.
pub(crate) fn prometheus() -> Result<PrometheusHandle, String> {
    let recorder = recorder()?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
    describe();
    Ok(handle)
}

fn recorder() -> Result<PrometheusRecorder, String> {
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &seconds());
    Ok(builder.map_err(|error| error.to_string())?.build_recorder())
}

/// Twenty buckets a decade, from a fast answer on a good day to the longest deadline: each is 12 % wide, so that a
/// quantile that is computed from them is right within a few percent.
fn seconds() -> Vec<f64> {
    let of_decade = [
        1.0, 1.12, 1.26, 1.41, 1.58, 1.78, 2.0, 2.24, 2.51, 2.82, 3.16, 3.55, 3.98, 4.47, 5.01, 5.62, 6.31,
        7.08, 7.94, 8.91,
    ];
    // Divided, not multiplied: a bound is the number that its label says.
    let decades = [1000.0, 100.0, 10.0, 1.0, 0.1].into_iter();
    let bounds = decades.flat_map(|divisor| of_decade.map(|bound| bound / divisor));
    bounds.take_while(|bound| *bound < 32.0).collect()
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ttm_kernel::Moment;
    use ttm_perf::CallWindow;

    use super::*;

    /// What Prometheus computes from the buckets of the one histogram in `text`.
    fn histogram_quantile(quantile: f64, text: &str) -> f64 {
        let buckets: Vec<(f64, f64)> = text
            .lines()
            .filter_map(|line| line.split_once("_bucket{le=\"")?.1.split_once("\"} "))
            .map(|(bound, count)| (bound.parse().unwrap_or(f64::INFINITY), count.parse().expect("a count")))
            .collect();
        let rank = quantile * buckets.last().expect("buckets").1;
        let at = buckets.partition_point(|(_, count)| *count < rank);
        let (below, before) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
        let (bound, count) = buckets[at];
        below + (bound - below) * (rank - before) / (count - before)
    }

    #[test]
    fn a_quantile_from_the_buckets_is_what_the_service_says_itself() {
        // Times of answers with a long tail, about as fast and as slow as an API can be.
        for (scale, tail) in [(0.004, 0.3), (0.03, 0.5), (0.08, 0.2), (0.4, 0.6)] {
            let recorder = recorder().expect("the buckets are valid");
            let mut window = CallWindow::default();
            metrics::with_local_recorder(&recorder, || {
                let histogram = metrics::histogram!("ttm_api_request_seconds");
                for number in 0..2000 {
                    let share = (f64::from(number) + 0.5) / 2000.0;
                    let seconds = scale * (1.0 - share).powf(-tail);
                    histogram.record(seconds);
                    window.record(Moment::ZERO, Duration::from_secs_f64(seconds), true);
                }
            });
            let summary = window.summary(Moment::ZERO, Duration::from_mins(5));
            let text = recorder.handle().render();
            for (quantile, said) in [(0.5, summary.p50), (0.95, summary.p95), (0.99, summary.p99)] {
                let said = said.expect("there were calls").as_secs_f64();
                let computed = histogram_quantile(quantile, &text);
                assert!(
                    (computed / said - 1.0).abs() < 0.04,
                    "{quantile} of {scale}: {computed}, not {said}"
                );
            }
        }
    }
}
