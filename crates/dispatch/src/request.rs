//! What a turn is used for, as plain data.

use ttm_kernel::Moment;

use crate::{Priority, Seen};

/// What a turn is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "its keys are under way until they are answered"]
pub struct Request<K> {
    /// Counts the requests: tells this one from another one for the same keys.
    pub number: u64,
    /// Who got the turn.
    pub priority: Priority,
    /// What is asked.
    pub ask: Ask<K>,
    /// Whether it is asked apart because a batch failed, maybe for one of its keys.
    pub suspicion: Suspicion,
}

/// What is held against the keys of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Nothing.
    None,
    /// A batch with them failed, and nothing was answered since: it may as well be the far side.
    OnTrial,
    /// A batch with them failed while the far side answered others: a failure says nothing about the far side, and to try
    /// again is no use.
    Likely,
}

/// Why a key that makes every request fail is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// How often it failed alone since it was last answered.
    pub failures: u32,
    /// When it is asked again; `None` once that time has come.
    pub until: Option<Moment>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an answer, whatever it holds.
    Answered,
    /// Without one, for a reason that has nothing to do with what was asked.
    Failed,
    /// Without one, and it may be for what was asked: it was refused as wrong, or again and again brought nothing usable
    /// although the far side is there.
    Blamed,
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
    pub seen: Option<Seen>,
}
