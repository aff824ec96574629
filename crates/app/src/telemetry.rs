//! The Prometheus exporter: the recorder with its buckets, and the descriptions of all metrics.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use ttm_alert::defaults::{DefaultRule, RULES};
use ttm_service::metric_name;

/// Installs the recorder of the metrics; the handle renders them.
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

/// Twenty buckets per decade, from the fastest response to the longest deadline: each is 12 % wide, so that quantiles
/// computed from them are accurate to a few percent.
fn seconds() -> Vec<f64> {
    let of_decade = [
        1.0, 1.12, 1.26, 1.41, 1.58, 1.78, 2.0, 2.24, 2.51, 2.82, 3.16, 3.55, 3.98, 4.47, 5.01, 5.62, 6.31,
        7.08, 7.94, 8.91,
    ];
    // Divided, not multiplied, so that each bound is exactly its decimal label.
    let decades = [1000.0, 100.0, 10.0, 1.0, 0.1].into_iter();
    let bounds = decades.flat_map(|divisor| of_decade.map(|bound| bound / divisor));
    bounds.take_while(|bound| *bound < 32.0).collect()
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    counter!("ttm_api_requests_total", "Attempts of API calls, by endpoint and outcome.");
    histogram!("ttm_api_request_seconds", "Duration of attempts, by endpoint and outcome.");
    counter!("ttm_breaker_transitions_total", "State changes of a breaker, by the new state.");
    gauge!("ttm_breaker_state", "1 for the current state of the breaker.");
    counter!(
        "ttm_requests_total",
        "Requests of the dispatcher, by priority; retries count as attempts only."
    );
    gauge!("ttm_requests_per_minute_allowed", "The request budget: less than configured after a 429.");
    gauge!("ttm_cycle_seconds", "Computed time in which each token is requested once, by lane.");
    gauge!("ttm_tokens_deferred", "Tokens that are due and wait for a request, by lane.");
    counter!("ttm_runs_total", "Runs of the groups, by group.");
    histogram!("ttm_run_seconds", "Duration of runs, by group.");
    counter!("ttm_tokens_scored_total", "Computed scores.");
    counter!(
        "ttm_tokens_served_total",
        "Tokens that were due, by group and by how they are served: fresh, cached (observed recently), stale (marked), skipped."
    );
    counter!("ttm_observations_missing_total", "Tokens missing from a batch and from a single request.");
    counter!("ttm_numbers_unusable_total", "Figures of pools that were negative or not finite.");
    counter!("ttm_batches_suspicious_total", "Batches of many mints that were answered without a pair.");
    counter!("ttm_pairs_skipped_total", "Skipped pairs, by reason.");
    gauge!("ttm_tokens", "Listed tokens, by lane.");
    gauge!("ttm_tokens_stale", "Tokens older than the limit of their lane, by lane.");
    gauge!("ttm_tokens_expired", "Tokens too old to be used, by lane.");
    gauge!("ttm_pool_lists_bytes", "Approximate memory of the full pool lists.");
    gauge!("ttm_token_age_p95_seconds", "95th percentile of the age of the data, by lane.");
    gauge!("ttm_health", "1 for the overall status.");
    counter!("ttm_samples_stored_total", "Stored samples.");
    counter!("ttm_source_failures_total", "Failed polls of a token source, by origin.");
    gauge!("ttm_source_up", "1 while a token source is usable, by origin.");
    gauge!("ttm_source_tokens", "Mints in a token source at its last successful poll, by origin.");
    gauge!(
        "ttm_source_unusable_entries",
        "Entries of a token source that are not valid mints and are skipped, by origin."
    );
    gauge!("ttm_samples_waiting", "Samples queued for the store.");
    gauge!("ttm_samples_dropped", "Samples dropped since the start.");
    counter!("ttm_token_states_stored_total", "Stored token states.");
    counter!("ttm_breaker_states_stored_total", "Stored breaker states.");
    counter!("ttm_refused_total", "Entries rejected by the store and lost, by use of the store.");
    counter!("ttm_events_stored_total", "Stored events.");
    gauge!("ttm_events_waiting", "Events queued for the store.");
    gauge!("ttm_events_dropped", "Events dropped since the start.");
    gauge!("ttm_uptime_seconds", "Time since the start.");
    for DefaultRule { name, series, meaning, .. } in RULES {
        if let Some(series) = series {
            gauge!(metric_name(series), format!("What the rule {name} is about, which says that {meaning}."));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ttm_kernel::Moment;
    use ttm_perf::CallWindow;

    use super::*;

    /// The quantile as Prometheus computes it from the buckets of the histogram in `text`.
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
    fn a_quantile_from_the_buckets_agrees_with_that_of_the_service() {
        // Response times with a long tail, from fast to slow APIs.
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
