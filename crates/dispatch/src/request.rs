//! What a turn is used for, as plain data.

use ttm_kernel::Moment;

use crate::Priority;

/// What a turn is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "its keys are under way until they are answered"]
pub struct Request<K> {
    /// Who got the turn.
    pub priority: Priority,
    /// What is asked.
    pub ask: Ask<K>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask<K> {
    /// Several keys at once, the most urgent first; at least one.
    Batch(Vec<Asked<K>>),
    /// One key alone.
    One(Asked<K>, Single),
}

/// Why one key is asked alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Single {
    /// A batch did not answer it.
    Unanswered,
    /// Its full list is wanted.
    List,
}

/// A key that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<K> {
    /// The key.
    pub key: K,
    /// Where it comes from; a batch is filled up with keys of other priorities.
    pub from: Priority,
    /// When it was last seen, if ever.
    pub seen: Option<Moment>,
}
