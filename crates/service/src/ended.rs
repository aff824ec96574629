//! How a service came to its end, for whoever started it. It does nothing.

use ttm_kernel::TaskEnd;

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Tokens whose newest state was not stored.
    pub tokens_left: u64,
    /// Samples that were not stored.
    pub samples_left: u64,
    /// Events that were not stored.
    pub events_left: u64,
    /// Whether everything ended by itself before the deadline.
    pub in_time: bool,
}

/// How a service came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why it ended without being told to, in a line for a person.
    pub failure: Option<Failure>,
    /// How the stop went that followed.
    pub stopped: Stopped,
}

/// Why a service ended without being told to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped because {}", self.cause())]
pub enum Failure {
    /// This process has no right to the store any more, for this reason; most likely another one has.
    Superseded(String),
    /// A part ended that never should.
    Part {
        /// Its name.
        part: &'static str,
        /// How it ended.
        end: TaskEnd,
    },
}

impl Stopped {
    /// What was not stored; none when all of it was.
    pub fn left(&self) -> Option<String> {
        let Self { tokens_left, samples_left, events_left, .. } = self;
        (tokens_left + samples_left + events_left > 0).then(|| {
            format!(
                "{tokens_left} tokens, {samples_left} samples and {events_left} events that the store did not take"
            )
        })
    }
}

impl Failure {
    /// What happened, in a line for a person.
    pub fn cause(&self) -> String {
        match self {
            Self::Superseded(reason) => reason.clone(),
            Self::Part { part, end } => format!("{part} ended by itself: {}", ending(end)),
        }
    }
}

pub(super) fn ending(end: &TaskEnd) -> String {
    match end {
        TaskEnd::Finished => "it returned".to_owned(),
        TaskEnd::Aborted => "it was aborted".to_owned(),
        TaskEnd::Panicked(message) => format!("it panicked: {message}"),
    }
}
