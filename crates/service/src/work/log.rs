//! What the log says of the work, and the metrics that go with it.

use std::time::Duration;

use ttm_kernel::{CorrelationId, Lane};
use ttm_market::MarketEvent;
use ttm_perf::{ControlChange, Controlled};
use ttm_schedule::RunOutcome;

use crate::machine::Notice;

pub(super) fn run_started(lane: Lane, run: CorrelationId, missed: u64) {
    if missed > 0 {
        tracing::warn!(%run, group = lane.as_str(), missed, "missed scheduled runs");
    }
}

pub(super) fn run_ended(lane: Lane, run: CorrelationId, took: Duration, outcome: &RunOutcome) {
    let name = lane.as_str();
    metrics::counter!("ttm_runs_total", "group" => name).increment(1);
    metrics::histogram!("ttm_run_seconds", "group" => name).record(took.as_secs_f64());
    let RunOutcome { attempted, processed, failed, broken, stale, skipped, cached, deferred, withheld } =
        *outcome;
    for (how, tokens) in [("fresh", processed), ("cached", cached), ("stale", stale), ("skipped", skipped)] {
        metrics::counter!("ttm_tokens_served_total", "group" => name, "how" => how).increment(tokens);
    }
    // After everything else, so that readers who wait for this line find the run's results.
    tracing::info!(
        %run, group = name, took_ms = took.as_millis(), attempted, processed, failed, broken, cached, deferred, withheld,
        "run ended"
    );
}

pub(super) fn market(events: &[MarketEvent]) {
    for event in events {
        // One for each token: at the first start that would be one for each there is. The record of events keeps them.
        tracing::debug!(%event, "token");
    }
}

pub(super) fn control(change: &ControlChange) {
    let ControlChange { what, from, to, reason } = change;
    match what {
        Controlled::AttemptTimeout => {
            tracing::info!(from_ms = from, to_ms = to, %reason, "attempt timeout changed");
        }
        Controlled::InFlight => {
            tracing::info!(from, to, %reason, "concurrency limit changed");
        }
    }
}

/// A request panicked. Told when that begins and when it says something else; health counts them.
pub(super) fn panicked(lane: Lane, message: &str, is_news: bool) {
    let group = lane.as_str();
    metrics::counter!("ttm_request_panics_total", "group" => group).increment(1);
    if is_news {
        tracing::error!(
            group,
            panic = message,
            "requests panic, which is a defect of this program; health says how many"
        );
    } else {
        tracing::debug!(group, panic = message, "a request panicked");
    }
}

pub(super) fn notice(notice: &Notice) {
    match notice {
        Notice::SilenceBegan { tokens } => {
            tracing::warn!(tokens, "the API responds, and lists none of the requested tokens");
        }
        Notice::SilenceEnded => tracing::warn!("the API lists tokens again"),
        Notice::UnreadableBegan { mint, why } => {
            tracing::warn!(%mint, why, "a token cannot be read; health says how many");
        }
        Notice::UnreadableEnded => tracing::warn!("all tokens can be read again"),
        Notice::FailedAlone { mint, message } => {
            metrics::counter!("ttm_tokens_failed_alone_total").increment(1);
            tracing::warn!(%mint, error = message, "requests for this token keep failing; requesting it alone, less often each time");
        }
        // Whether it is worth a line depends on the ones before: see `panicked`.
        Notice::Panicked { .. } => {}
        Notice::SetEdited { added, removed, tokens } => {
            tracing::info!(added, removed, tokens, "the set of tokens was edited");
        }
        Notice::LaneReset { lane, taken_back } => {
            tracing::warn!(group = lane.as_str(), taken_back, "lane reset; its tokens in flight wait again");
        }
        Notice::Stopping { in_flight } => {
            tracing::info!(in_flight, "stopping: no new requests");
        }
        Notice::GivenUp { priority } => {
            tracing::warn!(priority = priority.as_str(), "given up at the deadline of the stop");
        }
    }
}
