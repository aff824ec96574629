//! Availability as it is promised: the share of ten-second slots in which readers got what they were promised.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ttm_kernel::Lane;
use ttm_market::Token;

use crate::{Percent, Poison};

/// Availability is counted in slots of this length.
pub const SLOT: Duration = Duration::from_secs(10);
/// The greatest age of a hot token while the API is up.
const FRESH: Duration = Duration::from_mins(1);

/// Counts slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    slots: u32,
    good: u32,
    down_in_a_row: u32,
    longest_down: u32,
}

/// What a reader sees in one slot.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// Whether the API answers.
    pub exchange_up: bool,
    /// The tokens as published.
    pub tokens: &'a [Arc<Token>],
    /// The wall clock.
    pub wall: Timestamp,
    /// The share of tokens that are poisoned, or may still rest because they were.
    pub excused: Percent,
    /// The smoothed score at which a token becomes hot.
    pub hot_threshold: f64,
}

impl Slot<'_> {
    /// Whether the promise was kept: hot tokens are fresh while the API is up, and served while it is down. Scores
    /// carry their time, so a stale one is marked as such; the adapters' tests check that mark.
    fn is_good(&self) -> bool {
        if self.tokens.is_empty() {
            return false;
        }
        // A token that the API does not list cannot have a fresh score, and is served marked as unlisted.
        let is_hot = |token: &&Arc<Token>| {
            token.lane(self.hot_threshold) == Some(Lane::Hot)
                && token.unlisted.is_none()
                && Poison::of(&token.mint, self.excused).is_none()
        };
        let mut hot = self.tokens.iter().filter(is_hot);
        if !self.exchange_up {
            return hot.all(|token| token.score.is_some());
        }
        hot.all(|token| token.score.is_some_and(|score| self.age(score.at) <= FRESH))
    }

    fn age(&self, at: Timestamp) -> Duration {
        // A time in the future counts as fresh: the wall clock was set back since.
        Duration::try_from(self.wall.duration_since(at)).unwrap_or(Duration::ZERO)
    }
}

impl Availability {
    /// Counts a slot.
    pub fn observe(&mut self, slot: Option<&Slot<'_>>) {
        self.slots += 1;
        if slot.is_some_and(Slot::is_good) {
            self.good += 1;
            self.down_in_a_row = 0;
        } else {
            self.down_in_a_row += 1;
            self.longest_down = self.longest_down.max(self.down_in_a_row);
        }
    }

    /// The share of good slots, 0 to 1; 1 if no slot was counted.
    pub fn share(&self) -> f64 {
        if self.slots == 0 { 1.0 } else { f64::from(self.good) / f64::from(self.slots) }
    }

    /// The longest run of bad slots.
    pub fn longest_down(&self, slot: Duration) -> Duration {
        slot * self.longest_down
    }

    /// The number of good slots.
    pub fn good(&self) -> u32 {
        self.good
    }

    /// The number of slots counted.
    pub fn slots(&self) -> u32 {
        self.slots
    }
}
