//! What a call brings, and how it was obtained, as plain data.

use std::time::Duration;

/// What a call brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The operation's value.
    pub value: T,
    /// How it was obtained.
    pub source: Source,
}

/// How an answer was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The far side was asked, for this call or for one that it joined.
    Fresh {
        /// Attempts that were made, hedges included.
        attempts: u32,
    },
    /// It was asked before, recently enough.
    Cached {
        /// How long ago.
        age: Duration,
    },
    /// It was asked before, and gave no answer now.
    Stale {
        /// How long ago.
        age: Duration,
    },
}

/// One attempt of a call, as its operation sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1; a hedge is an attempt of its own.
    pub number: u32,
    /// After how long it will be abandoned.
    pub timeout: Duration,
}
