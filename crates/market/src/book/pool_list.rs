//! The full list of a token's pools, as long as it may be scored from. It knows nothing of scores.

use std::time::Duration;

use jiff::Timestamp;

use super::signed;
use crate::Pair;

/// A list as asked for at one time, with pools that were refreshed since.
#[derive(Clone, Debug)]
pub(super) struct PoolList {
    listed_at: Timestamp,
    pools: Vec<Pair>,
}

impl PoolList {
    /// A list as just fetched.
    pub(super) fn new(listed_at: Timestamp, pools: &[Pair]) -> Self {
        Self { listed_at, pools: pools.to_vec() }
    }

    /// When it was fetched.
    pub(super) const fn listed_at(&self) -> Timestamp {
        self.listed_at
    }

    /// The pools, each as last seen.
    pub(super) fn pools(&self) -> &[Pair] {
        &self.pools
    }

    /// Whether it still stands at `now`. One from the future counts as long as one from the past, so that neither a
    /// small nor a large step of the clock back makes it last longer than twice its time.
    pub(super) fn counts(&self, now: Timestamp, max_age: Duration) -> bool {
        !self.pools.is_empty() && now.duration_since(self.listed_at).abs() <= signed(max_age)
    }

    /// Puts these pools in place of what was known of them.
    pub(super) fn refresh(&mut self, newer: &[Pair]) {
        for pair in newer {
            match self.pools.iter_mut().find(|pool| pool.address == pair.address) {
                Some(pool) => pool.clone_from(pair),
                None => self.pools.push(pair.clone()),
            }
        }
    }

    /// Gives the memory back and stops counting; when it was fetched is still known.
    pub(super) fn expire(&mut self) {
        self.pools = Vec::new();
    }
}
