//! Assesses the stores, each use by itself. One that is unavailable is degraded while what waits for it fits; it is critical once
//! data is being lost, once the credentials are refused, or once nothing is retried until an operator has acted.

use std::time::Duration;

use super::finding::{Findings, spoken};
use crate::{Facts, Status, StoreCall, StoreModel, StoreUseFacts, StoreUseModel, Waiting};

/// A failure that is over after the next attempt belongs in the log, and does not change health.
const GRACE: Duration = Duration::from_secs(5);

/// The findings of all uses.
pub(super) struct Assessed {
    pub(super) model: StoreModel,
    pub(super) findings: Findings,
    /// Whether no data is being lost and every writer still retries.
    pub(super) keeps: bool,
}

pub(super) fn assess(facts: &Facts) -> Assessed {
    let store = &facts.store;
    let mut findings = Findings::default();
    let mut uses = Vec::with_capacity(store.uses.len());
    for each in &store.uses {
        let (status, sentence) = judge(each);
        if let Some(sentence) = sentence {
            findings.add(status, sentence);
        }
        uses.push(StoreUseModel {
            name: each.name.clone(),
            status,
            down_since: each.down_since,
            last_error: each.last_error.clone(),
        });
    }
    if let Some(Waiting { what, needs_a_person: true }) = &facts.waiting_for {
        findings.add(Status::Critical, format!("the start waits until an operator has repaired {what}"));
    }
    // A use without a call yet says nothing while another one answered.
    if store.uses.iter().all(|each| each.answers.is_none()) {
        findings.add(Status::Unknown, "the store has not been used yet".to_owned());
    }
    let worst = store.uses.iter().zip(&uses).filter(|(each, _)| each.last_error.is_some());
    let worst = worst.max_by_key(|(_, model)| model.status).and_then(|(each, _)| each.last_error.clone());
    let model = StoreModel {
        status: findings.worst(),
        down_since: store.uses.iter().filter_map(|each| each.down_since).min(),
        tokens_waiting: store.tokens_waiting,
        samples_waiting: store.samples_waiting,
        samples_dropped: store.samples_dropped,
        last_error: worst,
        uses,
    };
    let keeps = store.uses.iter().all(|each| !each.gave_up && !each.losing);
    Assessed { model, findings, keeps }
}

fn judge(each: &StoreUseFacts) -> (Status, Option<String>) {
    let StoreUseFacts { name, answers, down_for, last_error, call, gave_up, losing, .. } = each;
    let error = last_error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
    let since = down_for.map_or_else(String::new, |down| format!(" for {}", spoken(down)));
    if *gave_up {
        let until = "until an operator has repaired the store and restarted this process";
        return (Status::Critical, Some(format!("{name}: given up {until}{error}")));
    }
    if *losing {
        return (
            Status::Critical,
            Some(format!("{name}: data is being lost: more waits than fits, or the store refuses it{error}")),
        );
    }
    if *call == Some(StoreCall::Unauthenticated) {
        let mend = "give its user the right password, or the right to log in, again";
        return (
            Status::Critical,
            Some(format!("{name}: the credentials are refused{since}; {mend}{error}")),
        );
    }
    let down_for = down_for.unwrap_or_default();
    // A store that is unavailable cannot be taken by another process either. One that answers, but refuses a renewal, may be.
    if *call == Some(StoreCall::Unguarded) && down_for >= GRACE {
        let sentence = format!("{name}: cannot be renewed{since} before an operator has repaired it{error}");
        return (Status::Critical, Some(sentence));
    }
    match answers {
        Some(false) if down_for >= GRACE => {
            (Status::Degraded, Some(format!("{name}: failing{since}{error}")))
        }
        Some(_) => (Status::Healthy, None),
        None => (Status::Unknown, None),
    }
}
