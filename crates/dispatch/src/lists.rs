//! The full lists that are wanted: each key once, until its list is done.

use std::collections::{BTreeSet, VecDeque};

/// Full lists that wait for a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Those of candidates for activation.
    pub activation: usize,
    /// All others.
    pub others: usize,
}

impl Lists {
    /// All of them.
    pub const fn total(self) -> usize {
        self.activation + self.others
    }
}

/// The keys of which the full list is wanted, in the order in which they came.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<K> {
    activation: VecDeque<K>,
    others: VecDeque<K>,
    /// All of them, and those whose list is in flight.
    known: BTreeSet<K>,
}

impl<K: Copy + Ord> Wanted<K> {
    pub(crate) const fn new() -> Self {
        Self { activation: VecDeque::new(), others: VecDeque::new(), known: BTreeSet::new() }
    }

    /// Whether it is remembered: not when the same is wanted already, or `most` of its kind are.
    pub(crate) fn want(&mut self, key: K, for_activation: bool, most: usize) -> bool {
        let lists = if for_activation { &mut self.activation } else { &mut self.others };
        let remembered = lists.len() < most && self.known.insert(key);
        if remembered {
            lists.push_back(key);
        }
        remembered
    }

    /// Forgets a list that waits. One that is in flight stays wanted until it is done, or it could be wanted a second time.
    pub(crate) fn remove(&mut self, key: &K) {
        for lists in [&mut self.activation, &mut self.others] {
            let before = lists.len();
            lists.retain(|wanted| wanted != key);
            if lists.len() < before {
                self.known.remove(key);
            }
        }
    }

    /// The next one of a candidate for activation.
    pub(crate) fn pop_activation(&mut self) -> Option<K> {
        self.activation.pop_front()
    }

    /// The next one of the others.
    pub(crate) fn pop_other(&mut self) -> Option<K> {
        self.others.pop_front()
    }

    /// A list that was in flight is done, and may be wanted again.
    pub(crate) fn handle_done(&mut self, key: &K) {
        self.known.remove(key);
    }

    pub(crate) fn waiting(&self) -> Lists {
        Lists { activation: self.activation.len(), others: self.others.len() }
    }
}
