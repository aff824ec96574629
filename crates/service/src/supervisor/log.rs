//! What the log says of a recovery.

use ttm_recovery::{Entry, Fact, Outcome};

pub(super) fn log(entry: &Entry) {
    let Entry { recovery, subject: part, fact, .. } = entry;
    let id = recovery.to_string();
    match fact {
        Fact::Booted | Fact::Closed | Fact::Spent => {}
        Fact::Began { cause, by, .. } => {
            tracing::warn!(id, part, cause, by = by.as_str(), "recovering");
        }
        Fact::Step { step, charged } => {
            metrics::counter!("ttm_recovery_steps_total", "part" => part.clone(), "step" => step.as_str())
                .increment(1);
            tracing::warn!(id, part, step = step.as_str(), charged, "recovery step");
        }
        Fact::Withheld { cause, dependency } => {
            metrics::counter!("ttm_restarts_withheld_total", "part" => part.clone()).increment(1);
            tracing::warn!(id, part, cause, dependency, "restart withheld");
        }
        Fact::Ended { outcome, took } => {
            let (outcome, took_s) = (*outcome, took.as_secs_f64());
            let word = outcome.as_str();
            metrics::counter!("ttm_recoveries_total", "part" => part.clone(), "outcome" => word).increment(1);
            if outcome == Outcome::Escalated {
                tracing::error!(
                    id,
                    part,
                    took_s,
                    "a person is needed: nothing more is done about it for now"
                );
            } else {
                tracing::warn!(id, part, outcome = word, took_s, "recovery over");
            }
        }
    }
}
