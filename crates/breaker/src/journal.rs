//! A bounded queue of facts that wait to be fetched. Fetching instead of callbacks means that no listener can call into a
//! breaker in the middle of a change.

use std::collections::VecDeque;

#[derive(Debug)]
pub(crate) struct Journal<T> {
    waiting: VecDeque<T>,
    kept: usize,
    lost: u64,
}

impl<T> Journal<T> {
    /// Keeps the newest `kept`, for which it allocates at once.
    pub(crate) fn new(kept: usize) -> Self {
        Self { waiting: VecDeque::with_capacity(kept), kept, lost: 0 }
    }

    pub(crate) fn push(&mut self, fact: T) {
        if self.waiting.len() == self.kept {
            self.waiting.pop_front();
            self.lost = self.lost.saturating_add(1);
        }
        self.waiting.push_back(fact);
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.waiting.pop_front()
    }

    /// How many wait to be fetched.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }
}
