//! What is left of the budgets, for people.

use std::time::Duration;

use jiff::Timestamp;

/// What is left of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// So many may still be spent.
    pub left: u32,
    /// So many may be spent in a window; none if nothing is done but by hand.
    pub most: u32,
    /// What was spent counts for so long.
    pub window: Duration,
    /// When there is one more; `None` if nothing was spent, or if what was spent cannot be read yet.
    pub more_at: Option<Timestamp>,
}

/// What is left of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Restarts of each part, by its name, in the order of their table.
    pub parts: Vec<(String, Budget)>,
    /// The same of the work plane, when its threads were what hung.
    pub work_plane: Budget,
    /// The same of the process: deaths without a last word, and ends for its memory or because nothing got on.
    pub process: Budget,
    /// Restarts of all parts together, of the work plane and of the process.
    pub restarts: Budget,
    /// Planes that may be left behind.
    pub rebuilds: Budget,
    /// Processes that may be ended.
    pub ends: Budget,
    /// How many processes ended within the last hour without an order: those that died, and those that ended themselves.
    pub unordered_ends: u32,
}
