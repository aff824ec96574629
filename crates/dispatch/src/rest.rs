//! Keys that are left alone until a time. It does not know why.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ttm_kernel::Moment;

/// Keys that rest, and those that have rested, in the order of their times.
#[derive(Clone, Debug)]
pub(crate) struct Resting<K> {
    until: BTreeMap<K, Moment>,
    order: BTreeSet<(Moment, K)>,
    rested: VecDeque<K>,
    /// Since when the first of them has rested.
    since: Option<Moment>,
}

impl<K: Copy + Ord> Resting<K> {
    pub(crate) const fn new() -> Self {
        Self { until: BTreeMap::new(), order: BTreeSet::new(), rested: VecDeque::new(), since: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.until.len()
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.until.contains_key(key)
    }

    /// Leaves a key alone until then.
    pub(crate) fn put(&mut self, key: K, until: Moment) {
        self.remove(&key);
        self.until.insert(key, until);
        self.order.insert((until, key));
    }

    pub(crate) fn remove(&mut self, key: &K) -> bool {
        let Some(until) = self.until.remove(key) else { return false };
        if !self.order.remove(&(until, *key)) {
            self.rested.retain(|rested| rested != key);
            if self.rested.is_empty() {
                self.since = None;
            }
        }
        true
    }

    /// Finds out who has rested by now.
    pub(crate) fn advance(&mut self, now: Moment) {
        while let Some((until, key)) = self.order.first().copied().filter(|(until, _)| *until <= now) {
            self.order.pop_first();
            self.rested.push_back(key);
            self.since.get_or_insert(until);
        }
    }

    /// How many had rested at the last look, and since when the first of them.
    pub(crate) fn rested(&self) -> (usize, Option<Moment>) {
        (self.rested.len(), self.since)
    }

    /// The next one that has rested.
    pub(crate) fn pop(&mut self) -> Option<K> {
        let key = self.rested.pop_front()?;
        self.until.remove(&key);
        if self.rested.is_empty() {
            self.since = None;
        }
        Some(key)
    }

    /// When the next one will have rested.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.order.first().map(|(until, _)| *until)
    }
}
