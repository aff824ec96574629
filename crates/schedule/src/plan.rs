//! What a run does first. The order of priority is the caller's.

use std::num::NonZeroUsize;

/// The work of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<T> {
    /// What to do, the first batch first; no batch is empty.
    pub batches: Vec<Vec<T>>,
    /// What stays due for a later run, in the same order.
    pub deferred: Vec<T>,
}

/// Takes the first `capacity` of what is due, which comes in order of priority, in batches of at most `batch`.
pub fn plan<T>(mut due: Vec<T>, capacity: usize, batch: NonZeroUsize) -> Plan<T> {
    let deferred = due.split_off(capacity.min(due.len()));
    let mut batches = Vec::with_capacity(due.len().div_ceil(batch.get()));
    let mut rest = due.into_iter().peekable();
    while rest.peek().is_some() {
        batches.push(rest.by_ref().take(batch.get()).collect());
    }
    Plan { batches, deferred }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn everything_due_is_planned_or_deferred_in_its_order(
            due in prop::collection::vec(any::<u16>(), 0..200), capacity in 0_usize..250, batch in 1_usize..40,
        ) {
            let batch = NonZeroUsize::new(batch).expect("at least 1");
            let Plan { batches, deferred } = plan(due.clone(), capacity, batch);
            prop_assert!(batches.iter().all(|each| (1..=batch.get()).contains(&each.len())));
            // Only the last batch may have room left.
            prop_assert!(batches.iter().rev().skip(1).all(|each| each.len() == batch.get()));
            let planned: Vec<u16> = batches.into_iter().flatten().collect();
            prop_assert_eq!(planned.len(), capacity.min(due.len()));
            prop_assert_eq!([planned, deferred].concat(), due);
        }
    }
}
