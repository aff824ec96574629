//! Keys that back off, and those whose backoff is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ttm_kernel::Moment;

/// Keys that back off (rest), and those whose backoff is over (rested). The shortest backoffs come first: a key that upstream has
/// not known for long is less likely to be answered than one that was there lately.
#[derive(Clone, Debug)]
pub(crate) struct Resting<K> {
    rests: BTreeMap<K, Rest>,
    order: BTreeSet<(Moment, K)>,
    rested: BTreeSet<(Rest, K)>,
    /// Since when the first of them has rested.
    since: Option<Moment>,
}

/// How long a key rests. Shorter rests are less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rest {
    lasts: Duration,
    until: Moment,
}

impl<K: Copy + Ord> Resting<K> {
    pub(crate) const fn new() -> Self {
        Self { rests: BTreeMap::new(), order: BTreeSet::new(), rested: BTreeSet::new(), since: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.rests.len()
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.rests.contains_key(key)
    }

    /// Lets a key back off for so long.
    pub(crate) fn put(&mut self, key: K, now: Moment, lasts: Duration) {
        self.remove(&key);
        let until = now + lasts;
        self.rests.insert(key, Rest { lasts, until });
        self.order.insert((until, key));
    }

    pub(crate) fn remove(&mut self, key: &K) -> bool {
        let Some(rest) = self.rests.remove(key) else { return false };
        if !self.order.remove(&(rest.until, *key)) {
            self.rested.remove(&(rest, *key));
            if self.rested.is_empty() {
                self.since = None;
            }
        }
        true
    }

    /// Moves on the keys whose backoff is over by now.
    pub(crate) fn advance(&mut self, now: Moment) {
        while let Some((until, key)) = self.order.first().copied().filter(|(until, _)| *until <= now) {
            self.order.pop_first();
            self.rested.insert((self.rests[&key], key));
            self.since.get_or_insert(until);
        }
    }

    /// How many had rested at the last look, and since when the first of them.
    pub(crate) fn rested(&self) -> (usize, Option<Moment>) {
        (self.rested.len(), self.since)
    }

    /// The next one that has rested.
    pub(crate) fn pop(&mut self) -> Option<K> {
        let (_, key) = self.rested.pop_first()?;
        self.rests.remove(&key);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_those_that_have_rested_the_shortest_rest_comes_first_and_then_the_earliest() {
        let at = |seconds| Moment::from_origin(Duration::from_secs(seconds));
        let mut resting = Resting::new();
        resting.put(1, at(0), Duration::from_hours(1));
        resting.put(2, at(3_000), Duration::from_mins(1));
        resting.put(3, at(2_000), Duration::from_mins(1));
        resting.put(4, at(3_590), Duration::from_mins(1));
        resting.put(5, at(0), Duration::from_mins(2));
        assert!(resting.remove(&5));
        resting.advance(at(3_600));
        assert_eq!(resting.rested(), (3, Some(at(2_060))));
        assert_eq!(
            [resting.pop(), resting.pop(), resting.pop(), resting.pop()],
            [Some(3), Some(2), Some(1), None]
        );
        assert_eq!((resting.rested(), resting.next(), resting.len()), ((0, None), Some(at(3_650)), 1));
    }
}
