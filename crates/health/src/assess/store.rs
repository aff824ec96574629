//! Judges the store by whether it answers. What waits for it is told, not judged.

use super::finding::{Findings, spoken};
use crate::{Facts, Status, StoreModel};

pub(super) fn assess(facts: &Facts) -> (StoreModel, Findings) {
    let store = &facts.store;
    let mut findings = Findings::default();
    match store.reachable {
        Some(true) => {}
        Some(false) => {
            let since = store.down_since.map_or_else(String::new, |since| {
                format!(" for {}", spoken(facts.at.duration_since(since).unsigned_abs()))
            });
            let error = store.last_error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
            findings.add(Status::Critical, format!("the store has been down{since}{error}"));
        }
        None => findings.add(Status::Unknown, "the store was not asked yet".to_owned()),
    }
    let model = StoreModel {
        status: findings.worst(),
        down_since: store.down_since,
        tokens_waiting: store.tokens_waiting,
        samples_waiting: store.samples_waiting,
        samples_dropped: store.samples_dropped,
        last_error: store.last_error.clone(),
    };
    (model, findings)
}
