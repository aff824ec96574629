//! Why the process could not be composed, or how it ended.

/// A part that could not be put in its place; one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A value that only the adapter can judge.
    #[error("{0}")]
    Config(String),
    /// The store.
    #[error("{0}")]
    Store(String),
    /// The store, which is away: to try again may help.
    #[error("{0}")]
    Away(String),
    /// The store, which lacks something that a person can give: to try again helps then.
    #[error("{0}")]
    OnceMended(String),
    /// A list of tokens that is kept elsewhere, and does not answer now.
    #[error("{0}")]
    Source(String),
    /// The listener.
    #[error("{0}")]
    Listen(String),
    /// Another process has the store, or took it over.
    #[error("{0}")]
    Held(String),
    /// Self-healing ended the process, so that another one is started.
    #[error("{0}")]
    Recovery(String),
    /// Something of the process itself.
    #[error("{0}")]
    Process(String),
}

impl ComposeError {
    /// The same, of the store that this key names.
    pub(super) fn of_key(self, key: &str) -> Self {
        match self {
            Self::Store(said) => Self::Store(format!("{key}: {said}")),
            Self::Away(said) => Self::Away(format!("{key}: {said}")),
            Self::OnceMended(said) => Self::OnceMended(format!("{key}: {said}")),
            other => other,
        }
    }

    /// Whether starting again with the same config is pointless.
    pub const fn is_config(&self) -> bool {
        matches!(self, Self::Config(_))
    }
}
