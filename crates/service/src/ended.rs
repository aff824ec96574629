//! How a service came to its end, or to none because it did not start.

use ttm_kernel::{LeaseError, StoreError, TaskEnd};

/// What became of a service.
#[derive(Debug)]
pub enum Exit<E> {
    /// It could not start.
    NotStarted(StartError<E>),
    /// It was ordered to stop before its start was over.
    Abandoned,
    /// It worked, and stopped in order.
    Ended(Ended),
}

/// Why a service could not start; `E` says why its ports could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError<E> {
    /// The ports.
    #[error("{0}")]
    Open(E),
    /// Another process works on the store.
    #[error("{0}")]
    Held(LeaseError),
    /// Another process took the store over while this one started.
    #[error("{0}")]
    Superseded(String),
    /// An operator must mend the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Lists of tokens that are kept elsewhere cannot be read, and nothing of them is stored from before.
    #[error("{messages}")]
    Sources {
        /// A line for each thing that is wrong.
        messages: String,
        /// Whether an operator must mend one of them.
        is_config: bool,
    },
    /// The process itself: threads cannot be started.
    #[error("{0}")]
    Process(String),
}

impl<E> From<LeaseError> for StartError<E> {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Store(error) => Self::Store(error),
            held => Self::Held(held),
        }
    }
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Tokens whose newest state was not stored.
    pub tokens_left: u64,
    /// Samples that were not stored.
    pub samples_left: u64,
    /// Events that were not stored.
    pub events_left: u64,
    /// Breakers whose last order by an operator was not stored.
    pub orders_left: u64,
    /// Whether everything ended by itself before the deadline.
    pub in_time: bool,
}

/// How a service came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why it ended without being ordered to, in a line for a person.
    pub failure: Option<Failure>,
    /// How the stop went that followed.
    pub stopped: Stopped,
}

/// Why a service ended without being ordered to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped because {}", self.cause())]
pub enum Failure {
    /// This process has no right to the store any more, for this reason; most likely another one has.
    Superseded(String),
    /// Self-healing ended it, for this reason: another process does better.
    Recovery(String),
}

impl Stopped {
    /// What was not stored. `None` if all of it was.
    pub fn left(&self) -> Option<String> {
        let Self { tokens_left, samples_left, events_left, orders_left, .. } = self;
        (tokens_left + samples_left + events_left + orders_left > 0).then(|| {
            let orders = match orders_left {
                0 => "",
                _ => ", nor was an operator's order to a breaker",
            };
            format!(
                "{tokens_left} tokens, {samples_left} samples and {events_left} events that were not stored{orders}"
            )
        })
    }
}

impl Failure {
    /// What happened, in a line for a person.
    pub fn cause(&self) -> String {
        match self {
            Self::Superseded(reason) | Self::Recovery(reason) => reason.clone(),
        }
    }
}

pub(crate) fn ending(end: &TaskEnd) -> String {
    match end {
        TaskEnd::Finished => "it returned".to_owned(),
        TaskEnd::Aborted => "it was aborted".to_owned(),
        TaskEnd::Panicked(message) => format!("it panicked: {message}"),
    }
}
