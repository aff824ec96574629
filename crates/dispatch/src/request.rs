//! A request, as plain data.

use ttm_kernel::Moment;

use crate::{Priority, Seen};

/// What a turn is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "its keys are in flight until they are answered"]
pub struct Request<K> {
    /// Counts the requests: tells this one from another one for the same keys.
    pub number: u64,
    /// The priority that got the turn.
    pub priority: Priority,
    /// What is asked.
    pub ask: Ask<K>,
    /// Whether its keys are suspected of having made a batch fail.
    pub suspicion: Suspicion,
}

/// Whether the keys of a request are suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// They are not.
    None,
    /// A batch with them failed, and nothing was answered since: upstream may be the cause.
    OnTrial,
    /// A batch with them failed while upstream answered others: another failure says nothing about upstream, and a retry is
    /// useless.
    Likely,
}

/// The backoff of a key that makes every request fail.
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
    /// although upstream is there.
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
