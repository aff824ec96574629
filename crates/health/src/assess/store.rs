//! Assesses the stores, each use by itself. One that is unavailable is degraded while what waits for it fits; it is critical once
//! data is being lost, once the credentials are refused, or once nothing is retried until an operator has acted.

use std::time::Duration;

use crate::{
    Facts, Finding, Findings, Status, StoreCall, StoreModel, StoreUseFacts, StoreUseModel, Waiting, found,
};

/// A failure that is over after the next attempt belongs in the log, and does not change health.
const GRACE: Duration = Duration::from_secs(5);

/// The findings of all uses.
pub(super) struct Assessed {
    pub(super) model: StoreModel,
    /// Whether no data is being lost and every writer still retries.
    pub(super) keeps: bool,
}

pub(super) fn assess(facts: &Facts) -> Assessed {
    let store = &facts.store;
    let mut findings = Findings::default();
    let mut uses = Vec::with_capacity(store.uses.len());
    for each in &store.uses {
        let finding = judge(each);
        let status = match (&finding, each.answers) {
            (Some(finding), _) => finding.status,
            (None, Some(_)) => Status::Healthy,
            (None, None) => Status::Unknown,
        };
        uses.push(StoreUseModel {
            name: each.name.clone(),
            database: each.database.clone(),
            status,
            down_since: each.down_since,
            last_error: each.last_error.clone(),
        });
        findings.0.extend(finding);
    }
    if let Some(Waiting { what, needs_a_person: true }) = &facts.waiting_for {
        findings.add(found::start_waits(what, true));
    }
    // A use without a call yet says nothing while another one answered.
    if store.uses.iter().all(|each| each.answers.is_none()) {
        findings.add(found::store_unused());
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
        findings: findings.worst_first(),
    };
    let keeps = store.uses.iter().all(|each| !each.gave_up && !each.losing);
    Assessed { model, keeps }
}

/// The worst that is wrong with a use.
fn judge(each: &StoreUseFacts) -> Option<Finding> {
    let is_down_for_long = each.down_for.unwrap_or_default() >= GRACE;
    if each.gave_up {
        Some(found::store_corrupt(each))
    } else if each.losing {
        Some(found::samples_lost(each))
    } else if each.call == Some(StoreCall::Unauthenticated) {
        Some(found::credentials_refused(each))
    } else if each.call == Some(StoreCall::Unguarded) && is_down_for_long {
        // A store that is unavailable cannot be taken by another process either. One that answers, but refuses a renewal, may be.
        Some(found::lease_unguarded(each))
    } else if each.answers == Some(false) && is_down_for_long {
        Some(found::store_down(each))
    } else {
        let (rows, first) = each.unreadable.as_ref()?;
        Some(found::rows_unreadable(&each.name, *rows, first))
    }
}
